"""Conformance suite: every adapter gives the same guarantees, on stand-ins in exactly the official formats.

Stored values are those of the stand-in's formula, pixel by pixel (every pixel encodes its frame and position, so a
transposed, shifted or swapped image would show). The bytes are the same for any number of processes and after kill -9,
two versions of the raw files never mix, and every bad file is named.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import official_cityscapes
import official_nyudv2
import official_sunrgbd
import official_taskonomy
import pytest
from official_files import StandIn

from cenbench.data import adapters, transforms
from cenbench.data.adapters import ADAPTERS, find_adapter
from cenbench.data.manifest import read_manifest
from cenbench.data.official import cityscapes, nyudv2, sunrgbd, taskonomy
from cenbench.data.prepared import Prepared
from cenbench.data.synthrooms import prepare as synthrooms
from cenbench.data.transforms import Kind
from cenbench.errors import UserError
from cenbench.matrix.cell import TARGETS
from cenbench.matrix.specs import RENDERED, DatasetSpec, dataset_key
from cenbench.matrix.stored_arrays import STORED, stored_name

DATASETS = (official_cityscapes, official_nyudv2, official_sunrgbd, official_taskonomy)
STAND_INS: dict[str, StandIn] = {stand_in.label: stand_in for dataset in DATASETS for stand_in in dataset.STAND_INS}
KINDS: tuple[Kind, ...] = ("segmentation", "translation")
EXACT = ("depth", "semantic", "segment")
"""Never blended."""


@pytest.fixture(scope="session")
def raw_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw folders by label, written on first use, with old times so that any later change is newer."""
    return tmp_path_factory.mktemp("official")


def raw_of(stand_in: StandIn, raw_folders: Path) -> Path:
    raw = raw_folders / stand_in.label
    if not raw.exists():
        raw.mkdir()
        stand_in.write(raw)
        for path in raw.rglob("*"):
            os.utime(path, (1e9, 1e9))
    return raw


@pytest.fixture(params=STAND_INS)
def stand_in(request: pytest.FixtureRequest) -> StandIn:
    return STAND_INS[request.param]


@pytest.fixture
def raw(stand_in: StandIn, raw_folders: Path, tmp_path: Path) -> Path:
    """A raw folder that a test may change."""
    folder = tmp_path / "raw"
    shutil.copytree(raw_of(stand_in, raw_folders), folder)
    return folder


@pytest.fixture
def made(stand_in: StandIn, raw_folders: Path) -> Path:
    """The dataset as a single undisturbed process prepares it. Do not change it."""
    root = raw_folders / f"{stand_in.label}-prepared"
    return adapters.prepare(stand_in.spec, root, 1, False, raw_of(stand_in, raw_folders))


def some_file(stand_in: StandIn, raw: Path) -> Path:
    """One of the files that the adapter reads."""
    scan = find_adapter(stand_in.spec.name).scan(raw, stand_in.spec)
    return raw / [*scan.sources, *scan.samples[0].files.values()][-1]


def some_sample_file(stand_in: StandIn, raw: Path) -> Path | None:
    """A file of a single sample, if not all samples are in shared files."""
    scan = find_adapter(stand_in.spec.name).scan(raw, stand_in.spec)
    return next((raw / path for path in scan.samples[0].files.values() if path not in scan.sources), None)


def touch(path: Path, date: float = 1e9) -> None:
    """Give a file this date, later than whatever was written before: the kernel counts in steps of up to 10 ms."""
    time.sleep(0.02)
    os.utime(path, (date, date))


def copy_of(made: Path, root: Path) -> Path:
    """A copy of a dataset that is younger than all raw files so far."""
    folder = Path(shutil.copytree(made, root / made.name))
    (folder / "manifest.json").touch()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_adapter_has_a_stand_in() -> None:
    assert {stand_in.spec.name for stand_in in STAND_INS.values()} == set(ADAPTERS)


@pytest.mark.parametrize("name", STORED)
def test_the_plan_knows_version_and_arrays_of_every_dataset_here(name: str) -> None:
    declared = {
        "synthrooms": synthrooms._MODALITIES,
        "cityscapes": cityscapes._MODALITIES,
        "nyudv2": nyudv2._MODALITIES,
        "sunrgbd": sunrgbd._modalities("filled"),
        "taskonomy": taskonomy._MODALITIES,
    }
    used = {stored_name(token, kind) for token in TARGETS for kind in KINDS}
    assert set(STORED[name]) == used & declared[name].keys()
    assert name in RENDERED or DatasetSpec.model_fields["version"].default == find_adapter(name).VERSION


def test_stored_values_are_those_of_the_formula(stand_in: StandIn, made: Path) -> None:
    prepared, expected = Prepared.open(made), stand_in.expected()
    assert set(prepared.manifest.modalities) == set(expected[0])
    for number, scene in enumerate(expected):
        for name, array in scene.items():
            stored = prepared.array(name)[number]
            tolerance = 0 if name.startswith(EXACT) else stand_in.tolerance
            assert stored.shape == array.shape
            off = np.abs(stored.astype(int) - array.astype(int))
            assert off.max() <= tolerance, f"{name} of scene {number}, at {np.unravel_index(off.argmax(), off.shape)}"


def test_the_manifest_is_complete(stand_in: StandIn, made: Path, raw_folders: Path) -> None:
    adapter, prepared = find_adapter(stand_in.spec.name), Prepared.open(made)
    prepared.verify()
    manifest, spec = prepared.manifest, stand_in.spec
    assert prepared.indices("train").tolist() == list(range(spec.train_scenes))
    assert prepared.indices("val").tolist() == list(range(spec.train_scenes, spec.train_scenes + spec.val_scenes))
    assert len(set(manifest.scenes)) == spec.train_scenes + spec.val_scenes
    assert manifest.licence == adapter.LICENCE
    assert manifest.citation == adapter.CITATION
    assert re.match(r"@\w+\{\w+,\s.*\}$", manifest.citation, re.DOTALL), "BibTeX"
    assert manifest.classes == adapter.CLASSES
    assert len(set(adapter.CLASSES)) == len(adapter.CLASSES)
    assert ("semantic" in manifest.modalities) == bool(adapter.CLASSES)
    raw, sources = raw_of(stand_in, raw_folders), manifest.sources
    assert sources
    for entry in sources:
        if not entry.name.endswith("/"):
            assert entry.bytes == (raw / entry.name).stat().st_size
        assert entry.published in (None, False), "a stand-in is not the published file"
    for name, entry in manifest.modalities.items():
        values = prepared.array(name)
        present = values[values != entry.missing] if entry.missing is not None else values
        assert entry.range[0] <= present.min() <= present.max() <= entry.range[1], name
        assert values.dtype == entry.dtype


@pytest.mark.parametrize(
    "stand_in", [dataset.STAND_INS[0] for dataset in DATASETS], ids=lambda stand_in: stand_in.label
)
def test_any_number_of_processes_gives_the_same_bytes(
    stand_in: StandIn, made: Path, raw_folders: Path, tmp_path: Path
) -> None:
    raw = raw_of(stand_in, raw_folders)
    assert contents(adapters.prepare(stand_in.spec, tmp_path, 2, False, raw)) == contents(made)


def die(stand_in: StandIn, root: Path, raw: Path, at: str) -> None:
    """Prepare in a process that is killed (kill -9) just before it renames the file `at` into place."""
    child = os.fork()
    if child == 0:
        rename = Path.replace
        Path.replace = lambda path, target: (  # type: ignore[method-assign]
            os.kill(os.getpid(), signal.SIGKILL) if Path(target).name == at else rename(path, target)
        )
        try:
            adapters.prepare(stand_in.spec, root, 1, False, raw)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "it must be killed there"


def test_a_killed_preparation_resumes(stand_in: StandIn, made: Path, raw_folders: Path, tmp_path: Path) -> None:
    raw = raw_of(stand_in, raw_folders)
    die(stand_in, tmp_path, raw, "scenes-000008.npz")
    first = tmp_path / f"{made.name}.partial/scenes-000000.npz"
    time_of_first = first.stat().st_mtime_ns
    die(stand_in, tmp_path, raw, "manifest.json")
    assert first.stat().st_mtime_ns == time_of_first, "the shard written before the kill is reused"
    with pytest.raises(UserError, match="not prepared"):
        Prepared.open(tmp_path / made.name)
    assert contents(adapters.prepare(stand_in.spec, tmp_path, 1, False, raw)) == contents(made)
    assert sorted(path.name for path in tmp_path.iterdir()) == [made.name, f"{made.name}.lock"]


def test_raw_files_changed_between_two_attempts_never_mix(
    stand_in: StandIn, made: Path, raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    die(stand_in, tmp_path, raw, "manifest.json")
    partial = tmp_path / f"{made.name}.partial"
    for shard in partial.glob("*.npz"):
        shard.write_bytes(b"made from other files")
    os.utime(some_file(stand_in, raw))
    folder = adapters.prepare(stand_in.spec, tmp_path, 1, False, raw)
    assert "starting over" in capsys.readouterr().err
    assert contents(folder) == contents(made)


def test_a_complete_dataset_is_left_alone_until_a_raw_file_changes(
    stand_in: StandIn, made: Path, raw: Path, tmp_path: Path
) -> None:
    folder = copy_of(made, tmp_path / "root")
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert adapters.prepare(stand_in.spec, tmp_path / "root", 1, False, raw) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    touch(some_sample_file(stand_in, raw) or some_file(stand_in, raw))
    adapters.prepare(stand_in.spec, tmp_path / "root", 1, False, raw)
    again = (folder / "manifest.json").stat().st_mtime_ns > times["manifest.json"]
    assert again == bool(some_sample_file(stand_in, raw)), (
        "only the digest of a shared file can tell that it is the same"
    )
    assert contents(folder) == contents(made), "the same content gives the same bytes and digest"
    shutil.rmtree(raw)
    assert adapters.prepare(stand_in.spec, tmp_path / "root", 1, False) == folder, "prepared, it needs no raw files"


@pytest.mark.parametrize("stand_in", [STAND_INS[label] for label in STAND_INS if label != "cityscapes-folders"])
def test_a_shared_file_replaced_by_one_of_old_date_is_read_again(
    stand_in: StandIn, made: Path, raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As cp -p, rsync -t, unzip and wget leave it; of the same size, so that only its SHA-256 differs."""
    sources = find_adapter(stand_in.spec.name).scan(raw, stand_in.spec).sources
    folder = copy_of(made, tmp_path / "root")
    document = json.loads((folder / "manifest.json").read_text())
    (entry,) = (entry for entry in document["sources"] if entry["name"] == sources[-1])
    entry["sha256"] = "0" * 64  # as if the file that was read had been another one
    (folder / "manifest.json").write_text(json.dumps(document))
    assert adapters.prepare(stand_in.spec, tmp_path / "root", 1, False, raw) == folder
    assert json.loads((folder / "manifest.json").read_text()) == document, "nothing was touched since"
    touch(raw / sources[-1])
    adapters.prepare(stand_in.spec, tmp_path / "root", 1, False, raw)
    assert contents(folder) == contents(made)
    assert f"{sources[-1]}, which was touched, for its SHA-256" in capsys.readouterr().err


def test_a_raw_file_dated_in_the_future_is_read_once(stand_in: StandIn, raw: Path, tmp_path: Path) -> None:
    """Copied from a machine whose clock is ahead: it would look newer than the dataset for ever."""
    future = time.time() + 86_400
    dated = some_sample_file(stand_in, raw) or some_file(stand_in, raw)
    os.utime(dated, (future, future))
    folder = adapters.prepare(stand_in.spec, tmp_path / "root", 1, False, raw)
    made_ns = (folder / "manifest.json").stat().st_mtime_ns
    adapters.prepare(stand_in.spec, tmp_path / "root", 1, False, raw)
    assert (folder / "manifest.json").stat().st_mtime_ns == made_ns
    touch(dated, future)
    adapters.prepare(stand_in.spec, tmp_path / "root", 1, False, raw)
    again = (folder / "manifest.json").stat().st_mtime_ns > made_ns
    assert again == bool(some_sample_file(stand_in, raw)), "dated again: it may have changed"


def test_samples_of_the_exclude_list_are_left_out(stand_in: StandIn, made: Path, raw: Path, tmp_path: Path) -> None:
    """Their files may be damaged; all others are stored as before, and the manifest has the reasons."""
    whole = Prepared.open(made)
    first, last = whole.manifest.scenes[0], whole.manifest.scenes[-1]
    scan = find_adapter(stand_in.spec.name).scan(raw, stand_in.spec)
    for path in scan.samples[0].files.values():
        (raw / path).write_bytes(b"damaged")
    (raw / "exclude.txt").write_text(f"{first}\n\n{last}   damaged by its authors\n")
    with pytest.raises(UserError, match="too few samples for train") as caught:
        adapters.prepare(stand_in.spec, tmp_path, 1, False, raw)
    assert "without those in exclude.txt" in str(caught.value.found)
    fewer = {"train_scenes": stand_in.spec.train_scenes - 1, "val_scenes": stand_in.spec.val_scenes - 1}
    prepared = Prepared.open(adapters.prepare(stand_in.spec.model_copy(update=fewer), tmp_path, 1, False, raw))
    manifest = prepared.manifest
    assert manifest.scenes == whole.manifest.scenes[1:-1]
    assert {first: "named in exclude.txt", last: "damaged by its authors"}.items() <= manifest.excluded.items()
    assert "exclude.txt" in {entry.name for entry in manifest.sources}
    for name in manifest.modalities:
        np.testing.assert_array_equal(prepared.array(name), whole.array(name)[1:-1])


def test_an_exclude_list_with_unknown_samples_is_refused(stand_in: StandIn, raw: Path, tmp_path: Path) -> None:
    (raw / "exclude.txt").write_text("no-such-sample\n")
    with pytest.raises(UserError, match="names samples that this dataset does not have") as caught:
        adapters.prepare(stand_in.spec, tmp_path, 1, False, raw)
    assert caught.value.found == "no-such-sample"


def cases(kind: str) -> list[object]:
    return [
        pytest.param(stand_in, name, id=f"{label}: {name}")
        for label, stand_in in STAND_INS.items()
        for name in getattr(stand_in, kind)
    ]


@pytest.mark.parametrize(("stand_in", "name"), cases("faults"))
def test_every_fault_is_reported(stand_in: StandIn, name: str, raw: Path, tmp_path: Path) -> None:
    fault = stand_in.faults[name]
    fault.damage(raw)
    root = tmp_path / "prepared"
    with pytest.raises(UserError, match=fault.message) as caught:
        adapters.prepare(stand_in.spec, root, 1, False, raw)
    for text in fault.names:
        assert text in str(caught.value)
    assert caught.value.where or caught.value.found, "the error has a place"
    assert not list(root.rglob("manifest.json"))
    assert not list(root.rglob("*.npy")), "nothing is half prepared"


@pytest.mark.parametrize(("stand_in", "name"), cases("excludes"))
def test_samples_left_out_are_recorded(
    stand_in: StandIn, name: str, raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, reasons = stand_in.excludes[name]
    spoil(raw)
    manifest = read_manifest(adapters.prepare(stand_in.spec, tmp_path / "prepared", 1, False, raw))
    assert set(manifest.excluded) == set(reasons)
    for sample, reason in reasons.items():
        assert re.search(reason, manifest.excluded[sample])
        assert sample in capsys.readouterr().err or len(reasons) > 1
    assert not set(manifest.excluded) & set(manifest.scenes)


def test_depth_reaches_a_network_in_metres(raw_folders: Path) -> None:
    """Whatever its stored unit; for translation, scaled as the released code scales 1/512 m."""
    stand_in = STAND_INS["nyudv2-mat"]
    made = adapters.prepare(stand_in.spec, raw_folders / "metres", 1, False, raw_of(stand_in, raw_folders))
    prepared = Prepared.open(made)
    entry = prepared.manifest.modalities["depth_zbuffer"]
    assert entry.units_per_metre == 5000
    stored = prepared.array("depth_zbuffer")[:1]
    metres = stored.astype(np.float64) / 5000
    seen = transforms.normalise(stored, "depth_zbuffer", entry, "segmentation")
    np.testing.assert_allclose(seen[:, 0].numpy(), metres, rtol=1e-6)
    seen = transforms.normalise(stored, "depth_zbuffer", entry, "translation")
    np.testing.assert_allclose(seen[:, 2].numpy(), np.log1p(metres * 512) / 11.1 * 2 - 1, atol=1e-6)


@pytest.mark.parametrize("name", sorted({stand_in.spec.name for stand_in in STAND_INS.values()}))
def test_missing_official_files_are_listed_with_their_place(name: str, tmp_path: Path) -> None:
    spec = next(stand_in.spec for stand_in in STAND_INS.values() if stand_in.spec.name == name)
    with pytest.raises(UserError, match="are missing") as caught:
        adapters.prepare(spec, tmp_path / "data/prepared", 1, False)
    assert caught.value.where == tmp_path / "data/raw" / name
    for file in find_adapter(name).FILES:
        assert file.name in str(caught.value.expected)
        assert file.where in str(caught.value.expected)
    assert not list(tmp_path.iterdir())
    raw = tmp_path / "data/raw" / name
    raw.mkdir(parents=True)
    (raw / "images.zip.dvc").touch()
    with pytest.raises(UserError, match=r"(?s)are missing.*only DVC's placeholders.*dvc pull"):
        adapters.prepare(spec, tmp_path / "data/prepared", 1, False)
    with pytest.raises(UserError, match="has no such version"):
        adapters.prepare(spec.model_copy(update={"version": 99}), tmp_path, 1, False)
    assert dataset_key(spec).startswith(name)
