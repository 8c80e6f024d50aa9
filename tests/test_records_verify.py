"""A flipped bit in any stored file is found before the file is used, reported, and fixed by rerunning the command."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import Checkout
from faults import Tally

from cenbench import sha256_cache
from cenbench.data import adapters, verified
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.files import read_sealed, sha256_file, write_sealed
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import load_plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.run.cell import run_cell
from cenbench.train import train_cell

DETERMINISTIC = (
    "results/cells/*/metrics.json",
    "results/cells/*/history.csv",
    "results/cells/*/per_image.safetensors",
    "results/cells/*/gammas.safetensors",
    "results/cells/*/samples/*.png",
)
WEIGHTS = "results/state/*/weights.safetensors"
Faults = Callable[[str], Tally]


def flip(path: Path, byte: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << bit
    path.write_bytes(data)


@pytest.fixture(scope="module")
def published(prepared_checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> tuple[Paths, Cell]:
    """A finished segmentation cell. Read only: see `place`."""
    root = tmp_path_factory.mktemp("published")
    shutil.copytree(prepared_checkout.root / "params", root / "params")
    shutil.copytree(prepared_checkout.root / "data", root / "data")
    paths = Paths(root)
    cell = next(iter(load_plan(paths.params, "demo").cells.values()))
    run_cell(cell, paths, "cpu")
    return paths, cell


@pytest.fixture
def place(published: tuple[Paths, Cell], tmp_path: Path) -> tuple[Paths, Cell]:
    """A copy that a test may change."""
    shutil.copytree(published[0].root, tmp_path / "root")
    return Paths(tmp_path / "root"), published[1]


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it trained")

    monkeypatch.setattr(train_cell, "train_steps", refuse)


@pytest.mark.parametrize(
    "name",
    [
        *("metrics.json", "history.csv", "per_image.safetensors", "gammas.safetensors"),
        *("provenance.json", "samples/001.png"),
    ],
)
def test_any_flipped_bit_of_a_record_is_named(
    place: tuple[Paths, Cell], name: str, no_training: None, faults: Faults
) -> None:
    paths, cell = place
    tally, draw = faults("a flipped bit in a finished cell's files"), random.Random(name)
    path = paths.cell(cell) / name
    good = path.read_bytes()
    assert read_record(paths, cell).state == "ok"
    for _ in range(40):
        with tally.one():
            flip(path, draw.randrange(len(good)), draw.randrange(8))
            record = read_record(paths, cell)
            assert record.state == "damaged"
            assert record.reason is not None
            assert path.name in record.reason
            assert "rerun" in record.reason
            path.write_bytes(good)
    path.unlink()
    assert read_record(paths, cell).state == ("missing" if name == "metrics.json" else "damaged")
    run_cell(cell, paths, "cpu")
    assert read_record(paths, cell).state == "ok"
    if name != "provenance.json":  # of another time
        assert path.read_bytes() == good


def test_a_flipped_bit_of_the_weights_is_found_before_they_are_evaluated_again(
    place: tuple[Paths, Cell], faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    paths, cell = place
    path = paths.state(cell) / "weights.safetensors"
    good, metrics = path.read_bytes(), (paths.cell(cell) / "metrics.json").read_bytes()
    with faults("a flipped bit in weights").one():
        flip(path, len(good) // 2)
        (paths.cell(cell) / "metrics.json").unlink()
        run_cell(cell, paths, "cpu")
        assert f"{path} is damaged" in caplog.text
        assert path.read_bytes() == good
        assert (paths.cell(cell) / "metrics.json").read_bytes() == metrics


def test_a_flipped_bit_of_the_dataset_stops_a_cell_before_it_trains(
    place: tuple[Paths, Cell], faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, cell = place
    folder = paths.data / dataset_key(cell.dataset)
    good = {path.name: path.read_bytes() for path in folder.iterdir()}
    tally = faults("a flipped bit in a prepared dataset")
    for name in ("rgb.npy", "semantic.npy", "texture.npy"):
        with tally.one():
            flip(folder / name, -5)
            with pytest.raises(UserError, match=f"{name} has changed since it was written") as caught:
                run_cell(cell, paths, "cpu")
            assert "rerun the same command" in str(caught.value.fix)
            with pytest.raises(UserError, match="not prepared"):
                Prepared.open(folder)
            assert name in str(read_record(paths, cell).reason) or "not prepared" in str(
                read_record(paths, cell).reason
            )
            adapters.prepare(cell.dataset, paths.data, 1, False)  # what the rule of the dataset runs
            run_cell(cell, paths, "cpu")
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == good


def test_a_dataset_is_read_whole_once_and_a_file_again_when_it_was_touched(
    place: tuple[Paths, Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, cell = place
    prepared = Prepared.open(paths.data / dataset_key(cell.dataset))
    reads: list[str] = []

    def sha256(path: Path) -> str:
        reads.append(path.name)
        return sha256_file(path)

    def reads_of_a_check() -> list[str]:
        reads.clear()
        verified.verify_once(prepared, paths.verified)
        return sorted(reads)

    monkeypatch.setattr(sha256_cache, "sha256_file", sha256)
    assert reads_of_a_check() == sorted(prepared.manifest.files), "the copy has other inodes"
    assert reads_of_a_check() == []
    path = prepared.folder / "rgb.npy"
    stat = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as one who hides a change would
    assert reads_of_a_check() == ["rgb.npy"]
    (note,) = paths.verified.glob("*.rgb.npy.json")
    for damage in ("", "{", "[]"):
        note.write_text(damage)
        assert reads_of_a_check() == ["rgb.npy"]
    assert reads_of_a_check() == []


def test_a_seal_covers_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_sealed(path, {"b": [1.5, None], "a": {"c": "é"}})
    assert read_sealed(path) == {"b": [1.5, None], "a": {"c": "é"}}
    text = path.read_text()
    for changed in (text.replace("1.5", "1.6"), text.replace("1.5", "1.50"), text + " ", text.replace("sha256", "sha")):
        path.write_text(changed)
        with pytest.raises(UserError, match="has changed since it was written"):
            read_sealed(path)


def test_snakemake_sees_damaged_records_and_publishes_them_again(finished: Checkout, faults: Faults) -> None:
    expected = finished.bytes_of(*DETERMINISTIC)
    times = {path: path.stat().st_mtime_ns for path in finished.root.glob(WEIGHTS)}
    metrics = sorted(finished.root.glob("results/cells/*/metrics.json"))
    with faults("a flipped bit in finished cells, then `snakemake all_tables`").one():
        flip(metrics[0], 300)
        flip(metrics[1].parent / "samples/000.png", 80)
        (feature,) = finished.root.glob("results/features/*.safetensors")
        flip(feature, -3)
        assert finished.planned()["cell"] == 2
        output = finished.snakemake("all_tables")
        assert "Traceback" not in output
        assert finished.bytes_of(*DETERMINISTIC) == expected
        assert {path: path.stat().st_mtime_ns for path in finished.root.glob(WEIGHTS)} == times, "nothing is trained"
        assert finished.planned() == {}


@pytest.mark.slow
def test_snakemake_prepares_a_damaged_dataset_again(finished: Checkout, faults: Faults) -> None:
    """Before the new cell reads it. The command names the file; finished cells keep their weights."""
    arrays = finished.bytes_of("data/prepared/*/*.npy")
    times = {path: path.stat().st_mtime_ns for path in finished.root.glob(WEIGHTS)}
    finished.edit(
        "params/table7.yaml",
        "l1: half, exchange: true}",
        "l1: half, exchange: true}\n" + 2 * " " + "- {convs: shared, l1: all, exchange: true}",
    )
    with faults("a flipped bit in a prepared dataset, then `snakemake all_tables`").one():
        (rgb,) = finished.root.glob("data/prepared/*/rgb.npy")
        flip(rgb, -40)
        output = finished.snakemake("all_tables")
        assert "is prepared again: rgb.npy has changed since it was written" in output
        assert finished.bytes_of("data/prepared/*/*.npy") == arrays
        assert times.items() <= {path: path.stat().st_mtime_ns for path in finished.root.glob(WEIGHTS)}.items()
        states = {entry["state"] for entry in finished.json("reports/demo/table7.json")["entries"]}
        assert states == {"ok"}
