"""Feature extractors and their cache: the stand-in repeats, weights never run code, damaged files are noticed."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from faults import Tally
from torch import Tensor

from cenbench.errors import CellSkipped, UserError
from cenbench.metrics.inputs.extractors import STAND_IN_LABEL, Extractor, load_extractor
from cenbench.metrics.inputs.reference_features import reference_features
from cenbench.metrics.inputs.torchvision_shim import import_torchvision

import_torchvision()  # torch-fidelity imports torchvision
from torch_fidelity import feature_extractor_inceptionv3  # noqa: E402
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # noqa: E402

CPU = torch.device("cpu")
KEY = {"dataset": "rooms", "target": "rgb"}


def noise(seed: int, B: int, side: int = 32) -> Tensor:
    return torch.randint(0, 256, (B, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    return load_extractor("seeded-conv", tmp_path_factory.mktemp("no-weights"), CPU)


def test_stand_in_repeats_whatever_was_drawn_before(stand_in: Extractor, tmp_path: Path) -> None:
    torch.manual_seed(99)
    again = load_extractor("seeded-conv", tmp_path, CPU)
    assert again.identity == stand_in.identity
    assert torch.equal(again.features(noise(1, 4)), stand_in.features(noise(1, 4)))


def test_stand_in_is_labelled_and_named_by_its_weights(stand_in: Extractor) -> None:
    assert stand_in.stand_in == STAND_IN_LABEL
    assert stand_in.identity.startswith("seeded-conv ")
    assert len(stand_in.identity.split()[1]) == 64


def test_features_depend_on_the_image_and_not_on_its_batch(stand_in: Extractor) -> None:
    images = noise(2, 5)
    whole = stand_in.features(images)
    assert whole.dtype == torch.float64
    assert whole.shape == (5, 96)
    # Float64 sums of some hundred terms, perhaps in another order.
    alone = torch.cat([stand_in.features(image[None]) for image in images])
    torch.testing.assert_close(whole, alone, rtol=1e-12, atol=1e-12)
    assert (whole[0] - whole[1]).abs().max() > 1e-3
    assert whole.std(0).min() > 0, "a feature that is equal for all images measures nothing"


@pytest.fixture(scope="module")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file with a state dict of random weights, as torch-fidelity's holds them (91 MiB)."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    with (
        mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict"),
        mock.patch.object(feature_extractor_inceptionv3, "load_state_dict_from_url"),
    ):
        torch.manual_seed(5)
        network = FeatureExtractorInceptionV3("random", ["2048"])
    torch.save(network.state_dict(), path)
    yield path
    path.unlink()


def test_inception_reads_its_file_and_gives_its_features(inception_weights: Path) -> None:
    extractor = load_extractor("inception-v3", inception_weights, CPU)
    assert extractor.stand_in is None
    path = str(inception_weights)
    reference = FeatureExtractorInceptionV3("reference", ["2048"], feature_extractor_weights_path=path)
    images = noise(3, 2)
    found = extractor.features(images)
    assert found.shape == (2, 2048)
    assert found.dtype == torch.float64
    # The same network on the same images: equal to the bit.
    assert torch.equal(found, reference(images)[0].double())


def test_inception_is_named_by_the_bytes_of_its_file(inception_weights: Path, tmp_path: Path) -> None:
    state = torch.load(inception_weights, weights_only=True)
    state["fc.bias"] += 1
    other = tmp_path / "other.pth"
    torch.save(state, other)
    identities = [load_extractor("inception-v3", path, CPU).identity for path in (inception_weights, other)]
    assert identities[0] != identities[1]
    assert all(identity.startswith("inception-v3 ") for identity in identities)


def test_absent_weights_skip_the_cell_and_the_message_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(CellSkipped) as caught:
        load_extractor("inception-v3", tmp_path / "inception.pth", CPU)
    assert caught.value.where == tmp_path / "inception.pth"
    assert "inception.pth" in str(caught.value.fix)


class Malice:
    """Writes a file if it is unpickled without restrictions."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (exec, (f"open({str(self.target)!r}, 'w').close()",))


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path) -> None:
    target = tmp_path / "was-run"
    path = tmp_path / "inception.pth"
    torch.save({"Conv2d_1a_3x3.conv.weight": Malice(target)}, path)
    with pytest.raises(UserError, match="not torch-fidelity's Inception-v3 weights") as caught:
        load_extractor("inception-v3", path, CPU)
    assert caught.value.where == path
    assert not target.exists()
    assert "two options" not in str(caught.value), "torch's advice to load it anyway is left out"
    torch.load(path, weights_only=False)
    assert target.exists(), "the file must be one that would have been run"


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


DAMAGED = {
    "empty": b"",
    "a page of a web site": b"<!DOCTYPE html><html></html>",
    "cut short": saved({"weight": torch.zeros(500)})[:700],
    "an opcode without its operand": b"\x80\x02R",
    "a list": saved([1, 2]),
    "one tensor": saved(torch.zeros(3)),
    "another network": saved({"weight": torch.zeros(3)}),
    "numbers for names": saved({1: torch.zeros(3)}),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_weights_file_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "inception.pth"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(UserError, match="not torch-fidelity's Inception-v3 weights") as caught:
        load_extractor("inception-v3", path, CPU)
    assert caught.value.where == path
    assert caught.value.found
    assert caught.value.fix


def test_reference_features_are_computed_once_and_then_read(stand_in: Extractor, tmp_path: Path) -> None:
    calls = []

    def batches() -> Iterator[Tensor]:
        calls.append(1)
        yield from noise(4, 7).split(3)

    found = [reference_features(tmp_path / "cache", KEY, stand_in, 3, batches) for _ in range(2)]
    assert len(calls) == 1
    assert torch.equal(found[0], found[1])
    torch.testing.assert_close(found[0], stand_in.features(noise(4, 7)), rtol=1e-12, atol=1e-12)


def test_other_images_or_another_extractor_are_cached_apart(stand_in: Extractor, tmp_path: Path) -> None:
    def read(key: dict[str, str], extractor: Extractor, seed: int) -> Tensor:
        return reference_features(tmp_path, key, extractor, 2, lambda: [noise(seed, 2)])

    first = read(KEY, stand_in, 1)
    for key, extractor, seed in (
        ({**KEY, "target": "normal"}, stand_in, 2),
        ({**KEY, "dataset": "other"}, stand_in, 3),
        (KEY, replace(stand_in, identity="seeded-conv of other weights"), 4),
    ):
        assert torch.equal(read(key, extractor, seed), extractor.features(noise(seed, 2)))
    assert torch.equal(read(KEY, stand_in, 5), first)


def test_features_of_another_batch_size_are_cached_apart(stand_in: Extractor, tmp_path: Path) -> None:
    """Their last digits may differ, and a cell's numbers must not depend on which cell came first."""
    for batch_size in (2, 3, 2):
        reference_features(tmp_path, KEY, stand_in, batch_size, lambda: noise(7, 6).split(2))
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


KID = """
import sys
from pathlib import Path
import torch
from cenbench.metrics import kid_x100
from cenbench.metrics.inputs.extractors import load_extractor
from cenbench.metrics.inputs.features import FeatureSets, Subsets
from cenbench.metrics.inputs.reference_features import reference_features

extractor = load_extractor("seeded-conv", Path("no-weights"), torch.device("cpu"))
for seed in range(24):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (32, 3, 32, 32), dtype=torch.uint8, generator=generator)
    key = {"dataset": "rooms", "target": str(seed)}
    real_ND = reference_features(Path(sys.argv[1]), key, extractor, 8, lambda: images.split(8))
    fake_ND = torch.rand(32, 96, dtype=torch.float64, generator=generator) * real_ND.mean(0) * 2
    print(kid_x100.compute(FeatureSets(fake_ND, real_ND, Subsets(20, 20, 0))).hex())
"""


def test_kid_is_the_same_to_the_bit_whoever_made_the_cache(tmp_path: Path) -> None:
    """A process that computes the real features, one that reads what another wrote, and one that reads its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(cache: str) -> list[str]:
        command = [sys.executable, "-c", KID, str(tmp_path / cache)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    absent, present, absent_again = run("first"), run("first"), run("second")
    assert len(set(absent)) == 24, "many draws, because the alignment in memory changes the last digit of some only"
    assert absent == present == absent_again


@pytest.mark.parametrize("damage", ["cut short", "one bit", "no header", "empty"])
def test_a_damaged_cache_is_logged_and_computed_again(
    damage: str, stand_in: Extractor, tmp_path: Path, caplog: pytest.LogCaptureFixture, faults: Callable[[str], Tally]
) -> None:
    tally = faults("a damaged cache of real features")

    def read() -> Tensor:
        return reference_features(tmp_path, KEY, stand_in, 3, lambda: [noise(6, 3)])

    expected = read()
    (path,) = tmp_path.glob("*.safetensors")
    good = path.read_bytes()
    bad = bytearray(good)
    bad[-5] ^= 1  # in the last feature, where the format has no check
    path.write_bytes({"cut short": good[:-9], "one bit": bytes(bad), "no header": b"\xff" * 64, "empty": b""}[damage])
    with caplog.at_level(logging.WARNING, logger="cenbench"), tally.one():
        assert torch.equal(read(), expected)
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]
    caplog.clear()
    assert torch.equal(read(), expected)
    assert not caplog.records


PROCESS = """
import sys, time
from pathlib import Path
import torch
from cenbench.metrics.inputs.extractors import load_extractor
from cenbench.metrics.inputs.reference_features import reference_features

folder, number = Path(sys.argv[1]), sys.argv[2]
extractor = load_extractor("seeded-conv", folder, torch.device("cpu"))

def batches():
    (folder / f"computed-{number}").touch()
    time.sleep(0.5)
    yield torch.full((2, 3, 32, 32), 40, dtype=torch.uint8)

(folder / f"ready-{number}").touch()
while len(list(folder.glob("ready-*"))) < 2:
    time.sleep(0.01)
print(reference_features(folder / "cache", {"dataset": "rooms"}, extractor, 2, batches).sum().item())
"""


def test_processes_that_ask_at_once_compute_once_and_agree(tmp_path: Path, faults: Callable[[str], Tally]) -> None:
    with faults("two cells at once on the cache of real features").one():
        compute_at_once(tmp_path)


def compute_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    commands = [[sys.executable, "-c", PROCESS, str(tmp_path), str(number)] for number in range(2)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) for command in commands]
    printed = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert printed[0] == printed[1] != ""
    assert len(list(tmp_path.glob("computed-*"))) == 1
