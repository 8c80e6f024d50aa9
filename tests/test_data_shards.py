"""The engine between an adapter and a prepared dataset: old and new never mix, and every fault is reported once.

The adapter here reads numbers from text files, so that only the engine is tested.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cenbench.data import shards
from cenbench.data.manifest import MANIFEST, manifest_digest, read_manifest
from cenbench.data.modality import ModalityDeclaration
from cenbench.data.official.adapter import Adapter, OfficialFile, Sample, Scan, Unusable, choose
from cenbench.data.official.prepare import prepare_official
from cenbench.data.prepared import Prepared
from cenbench.data.recipe import Recipe
from cenbench.data.shards import prepare_shards
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec, dataset_key

SPEC = DatasetSpec(name="numbers", size_px=2, train_scenes=12, val_scenes=8, seed=0)
KEY = dataset_key(SPEC)
CONTENT = b"a list\n"


class Numbers(Adapter):
    """`N.txt` holds the number of scene N; `list.txt` is the only shared file."""

    NAME, TITLE, URL = "numbers", "Numbers", "nowhere"
    LICENCE, CITATION = "none", "none"
    FILES = (OfficialFile("list.txt", "nowhere", bytes=len(CONTENT), md5=hashlib.md5(CONTENT).hexdigest()),)

    def scan(self, raw: Path, spec: DatasetSpec) -> Scan:
        train = [Sample(f"{number:02d}", "train", {"number": f"{number:02d}.txt"}) for number in range(12)]
        val = [Sample(f"{number:02d}", "val", {"number": f"{number:02d}.txt"}) for number in range(12, 20)]
        declared = ModalityDeclaration("uint8", 1, "a number", (0, 255))
        return Scan(choose(raw, spec, train, val), {"shade": declared}, ("list.txt",))

    def read(self, raw: Path, spec: DatasetSpec, sample: Sample) -> dict[str, np.ndarray]:
        path = raw / sample.files["number"]
        if not path.read_text().isdigit():
            raise UserError(f"{path.name} is not a number", where=path, found=path.read_text(), expected="digits")
        return {"shade": np.full(spec.shape_px, int(path.read_text()), np.uint8)}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "list.txt").write_bytes(CONTENT)
    for number in range(20):
        (folder / f"{number:02d}.txt").write_text(str(number))
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    return folder


def prepare(raw: Path, workers: int = 1) -> Path:
    return prepare_official(Numbers(), SPEC, raw.parent / "prepared", workers, False, raw)


def numbers(folder: Path) -> list[int]:
    return [int(scene.max()) for scene in Prepared.open(folder).array("shade")]


def change(path: Path, text: str) -> None:
    """Write new content, with a time later than anything made so far."""
    path.write_text(text)
    os.utime(path, (time.time() + 5, time.time() + 5))


class Killed(BaseException):
    """Stands in for kill -9."""


def killed_at(name: str, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare until just before the file `name` is renamed into place."""
    rename = Path.replace

    def stop(path: Path, target: Path) -> Path:
        if Path(target).name == name:
            raise Killed
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(Killed):
            prepare(raw)


def test_the_old_dataset_stays_usable_until_the_new_one_is_read(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare(raw)
    old = manifest_digest(folder)
    assert numbers(folder) == list(range(20))
    change(raw / "03.txt", "77")
    killed_at("scenes-000008.npz", raw, monkeypatch)
    assert manifest_digest(folder) == old
    assert numbers(folder) == list(range(20)), "readers still see the old dataset"
    killed_at("shade.npy", raw, monkeypatch)
    assert not (folder / MANIFEST).exists(), "from here on it is neither dataset"
    prepare(raw)
    assert numbers(folder) == [0, 1, 2, 77, *range(4, 20)]
    assert manifest_digest(folder) != old, "cells trained on the old one are stale"
    assert not folder.with_name(f"{KEY}.partial").exists()


def test_a_changed_file_of_the_same_size_and_an_added_byte_are_both_noticed(raw: Path) -> None:
    folder = prepare(raw)
    change(raw / "13.txt", "31")
    assert numbers(prepare(raw))[13] == 31
    os.utime(raw / "13.txt", (1e9, 1e9))
    change(raw / "05.txt", "105")
    os.utime(raw / "05.txt", (1e9, 1e9))
    assert numbers(prepare(raw))[5] == 105, "noticed by its size, though its time is old"
    made = (folder / MANIFEST).stat().st_mtime_ns
    prepare(raw)
    assert (folder / MANIFEST).stat().st_mtime_ns == made


def test_files_replaced_by_others_of_the_same_size_and_date_are_noticed(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a second download with the server's date, or cp -p: between two attempts, and after the last."""
    killed_at("scenes-000008.npz", raw, monkeypatch)
    time.sleep(0.02)  # the kernel counts in steps of up to 10 ms
    (raw / "00.txt").write_text("9")
    os.utime(raw / "00.txt", (1e9, 1e9))
    folder = prepare(raw)
    assert numbers(folder)[0] == 9
    time.sleep(0.02)
    (raw / "13.txt").write_text("31")
    os.utime(raw / "13.txt", (1e9, 1e9))
    with monkeypatch.context() as patch:
        patch.setattr("cenbench.data.official.prepare.time.time_ns", lambda: 0)
        assert numbers(prepare(raw))[13] == 13, "a change in the future is that of a clock that was ahead"
    assert numbers(prepare(raw))[13] == 31


EMPTY: dict[str, tuple[Callable[[int], tuple[int, int]], str, str, int]] = {
    "no depth": (lambda number: (0, 1), "depth", "depth: 0, missing, in every pixel of train", 2),
    "no labels in val": (
        lambda number: (1, 255 * (number > 11)), "semantic", "semantic: 255, void, in every pixel of val", 1
    ),
}  # fmt: skip
"""Depth and label of a scene; modality, text and number of lines of the error."""


@pytest.mark.parametrize("name", EMPTY)
def test_a_split_without_values_of_a_modality_is_refused(name: str, tmp_path: Path) -> None:
    values, key, found, times = EMPTY[name]
    recipe = Recipe(
        spec=SPEC, scenes=range(20), doing="making", classes=(), licence="", citation="",
        modalities={
            "depth": ModalityDeclaration("uint8", 1, "depth", (1, 255), missing=0),
            "semantic": ModalityDeclaration("uint8", 1, "class number", (0, 3), missing=255),
        },
        make=lambda number: dict.fromkeys(("depth", "semantic"), np.ones((2, 2), np.uint8)),
    )  # fmt: skip

    def make(number: int) -> dict[str, np.ndarray]:
        depth, label = values(number)
        return {"depth": np.full((2, 2), depth, np.uint8), "semantic": np.full((2, 2), label, np.uint8)}

    folder = prepare_shards(recipe, tmp_path, 1, False)
    whole = manifest_digest(folder)
    with pytest.raises(UserError, match="a whole split has no values") as caught:
        prepare_shards(replace(recipe, make=make), tmp_path, 1, False, again=True)
    assert caught.value.key == key
    assert found in str(caught.value)
    assert str(caught.value).count("in every pixel") == times
    assert manifest_digest(folder) == whole, "the dataset that was there stays as it is"


def test_one_value_in_a_split_is_enough(tmp_path: Path) -> None:
    def make(number: int) -> dict[str, np.ndarray]:
        return {"depth": np.array([[0, 0], [0, number in (10, 19)]], np.uint8)}

    declared = {"depth": ModalityDeclaration("uint8", 1, "depth", (1, 255), missing=0)}
    recipe = Recipe(SPEC, declared, range(20), make, "making", (), "", "")
    assert Prepared.open(prepare_shards(recipe, tmp_path, 1, False)).array("depth").sum() == 2


def test_files_that_change_while_they_are_read_are_refused(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = shards.make_shard

    def meddle(*job: object) -> list[UserError]:
        (raw / "00.txt").write_text("9")
        return make(*job)

    monkeypatch.setattr(shards, "make_shard", meddle)
    with pytest.raises(UserError, match="changed while they were read"):
        prepare(raw)
    monkeypatch.undo()
    assert numbers(prepare(raw))[0] == 9, "nothing from the first attempt is reused"


@pytest.mark.parametrize("workers", [1, 2])
def test_every_scene_that_cannot_be_read_is_named_once(raw: Path, workers: int) -> None:
    for number in (1, 3, 17):
        change(raw / f"{number:02d}.txt", "x")
    with pytest.raises(UserError, match="3 scenes cannot be read") as caught:
        prepare(raw, workers)
    for number in (1, 3, 17):
        assert str(caught.value).count(f"{number:02d}.txt is not a number") == 1
    partial = raw.parent / "prepared" / f"{KEY}.partial"
    assert [path.name for path in partial.glob("*.npz")] == ["scenes-000008.npz"], "readable shards are kept"
    for number in (1, 3, 17):
        change(raw / f"{number:02d}.txt", str(number))
    assert numbers(prepare(raw, workers)) == list(range(20))


def test_a_prepared_dataset_outlives_its_raw_files(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = raw.parent / "data" / "prepared"
    raw.rename((root.parent / "raw").mkdir(parents=True) or root.parent / "raw" / "numbers")
    home = root.parent / "raw" / "numbers"
    folder = prepare_official(Numbers(), SPEC, root, 1, False)
    made = (folder / MANIFEST).stat().st_mtime_ns
    (home / "list.txt").unlink()
    with pytest.raises(UserError, match=r"list.txt is gone"):
        prepare_official(Numbers(), SPEC, root, 1, False, home)
    shutil.rmtree(home)
    assert prepare_official(Numbers(), SPEC, root, 1, False) == folder
    with pytest.raises(UserError, match="are missing"):
        prepare_official(Numbers(), SPEC, root, 1, False, home)
    assert (folder / MANIFEST).stat().st_mtime_ns == made
    capsys.readouterr()


def test_the_manifest_records_whether_a_file_is_as_published(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = read_manifest(prepare(raw)).sources[0]
    assert (source.name, source.published, source.bytes) == ("list.txt", True, len(CONTENT))
    assert source.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert "published" not in capsys.readouterr().err
    change(raw / "list.txt", CONTENT.decode().upper())
    assert read_manifest(prepare(raw)).sources[0].published is False
    assert "list.txt is not the published file: it has that size" in capsys.readouterr().err
    change(raw / "list.txt", "longer than that")
    prepare(raw)
    assert "list.txt is not the published file: 16 bytes, published 7" in capsys.readouterr().err


def test_output_that_differs_from_its_declaration_never_reaches_the_disk(tmp_path: Path) -> None:
    recipe = Recipe(
        spec=SPEC, modalities={"shade": ModalityDeclaration("uint8", 1, "a number", (0, 255))}, scenes=range(20),
        make=lambda number: {"shade": np.full((2, 2), number, np.uint16)}, doing="making", classes=(), licence="",
        citation="",
    )  # fmt: skip
    with pytest.raises(AssertionError, match="declared"):
        prepare_shards(recipe, tmp_path, 1, False)
    with pytest.raises(AssertionError, match="declared"):
        prepare_shards(
            replace(recipe, make=lambda number: {"shade": np.zeros((2, 3), np.uint8)}), tmp_path / "b", 1, False
        )
    assert not list(tmp_path.rglob("*.npy"))


def test_a_long_list_of_faults_is_shortened_and_counted(tmp_path: Path) -> None:
    unusable = Unusable()
    unusable.refuse(tmp_path, "nothing is wrong", "")
    for number in range(23):
        unusable.add(f"scene {number}", "no depth")
    with pytest.raises(UserError, match="pairs are missing: 23") as caught:
        unusable.refuse(tmp_path, "pairs are missing", "get them")
    assert "scene 19: no depth" in str(caught.value)
    assert "scene 20" not in str(caught.value)
    assert "and 3 more" in str(caught.value)
