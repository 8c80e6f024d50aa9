"""A prepared dataset is complete, or the error names the file, what was found, and the fix."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tiny_dataset import write_dataset

from cenbench.data import adapters
from cenbench.data.manifest import manifest_digest, read_manifest
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.files import digest
from cenbench.matrix.specs import DatasetSpec, dataset_key

SCENES, HEIGHT, WIDTH = 5, 4, 6


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    rng = np.random.default_rng(1)
    shape = (SCENES, HEIGHT, WIDTH)
    arrays = {
        "rgb": rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
        "depth_zbuffer": rng.integers(0, 65536, shape, dtype=np.uint16),
        "semantic": rng.integers(0, 10, shape, dtype=np.uint8),
    }
    return write_dataset(tmp_path, arrays, train_scenes=3)


def rewrite(prepared: Prepared, change: Callable[[dict[str, Any]], object]) -> None:
    """Edit the manifest's JSON."""
    path = prepared.folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def opening_error(folder: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        Prepared.open(folder)
    return caught.value


def assert_fixable(error: UserError, path: Path) -> None:
    """Every error about a damaged dataset names the file and the two steps that fix it."""
    assert error.where == path
    assert str(path) in str(error)
    assert error.fix == f"delete {path.parent} and run: cenbench data prepare tiny --preset PRESET (the preset you run)"


def test_arrays_are_those_written_and_cannot_be_changed(prepared: Prepared) -> None:
    for name, entry in prepared.manifest.modalities.items():
        array = prepared.array(name)
        np.testing.assert_array_equal(array, np.load(prepared.folder / entry.file))
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert prepared.indices("train").tolist() == [0, 1, 2]
    assert prepared.indices("val").tolist() == [3, 4]
    prepared.verify()


def test_an_unknown_modality_or_split_is_an_error_that_lists_the_known_ones(prepared: Prepared) -> None:
    with pytest.raises(UserError, match="no modality 'lidar'") as caught:
        prepared.array("lidar")
    assert caught.value.expected == "depth_zbuffer, rgb, semantic"
    with pytest.raises(UserError, match="has no split 'test'") as caught:
        prepared.indices("test")
    assert (caught.value.found, caught.value.expected) == ("test", "train, val")


def test_without_its_manifest_a_folder_is_not_prepared(prepared: Prepared) -> None:
    path = prepared.folder / "manifest.json"
    path.unlink()
    error = opening_error(prepared.folder)
    assert "not prepared" in error.problem
    assert error.where == path
    assert error.fix == "cenbench data prepare tiny --preset PRESET (the preset you run)"
    assert manifest_digest(prepared.folder) is None


def test_a_missing_array_is_named(prepared: Prepared) -> None:
    path = prepared.folder / "rgb.npy"
    size = path.stat().st_size
    path.unlink()
    error = opening_error(prepared.folder)
    assert error.problem == "rgb.npy is missing"
    assert error.expected == f"{size} bytes"
    assert_fixable(error, path)


@pytest.mark.parametrize(("change", "words"), [(-1, "truncated"), (+1, "longer")])
def test_an_array_of_another_length_is_named(prepared: Prepared, change: int, words: str) -> None:
    path = prepared.folder / "semantic.npy"
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"\0")
    error = opening_error(prepared.folder)
    assert words in error.problem
    assert (error.found, error.expected) == (f"{len(data) + change} bytes", f"{len(data)} bytes")
    assert_fixable(error, path)


def test_another_data_type_of_the_same_length_is_named(prepared: Prepared) -> None:
    path = prepared.folder / "depth_zbuffer.npy"
    np.save(path, np.load(path).view(np.int16))
    error = opening_error(prepared.folder)
    assert (error.key, str(error.found), error.expected) == ("dtype", "int16", "uint16")
    assert_fixable(error, path)


def test_another_byte_order_is_caught_by_the_digest(prepared: Prepared) -> None:
    """NumPy reads both orders as the same numbers, so opening may succeed: only the digest differs."""
    path = prepared.folder / "depth_zbuffer.npy"
    values = np.load(path)
    np.save(path, values.astype(">u2"))
    np.testing.assert_array_equal(Prepared.open(prepared.folder).array("depth_zbuffer"), values)
    with pytest.raises(UserError, match=r"depth_zbuffer\.npy has changed"):
        prepared.verify()


def test_another_shape_of_the_same_length_is_named(prepared: Prepared) -> None:
    path = prepared.folder / "rgb.npy"
    np.save(path, np.load(path).transpose(0, 2, 1, 3).copy())
    error = opening_error(prepared.folder)
    assert error.key == "shape"
    assert (error.found, error.expected) == ((SCENES, WIDTH, HEIGHT, 3), (SCENES, HEIGHT, WIDTH, 3))
    assert_fixable(error, path)


def test_pickled_objects_are_refused(prepared: Prepared) -> None:
    path = prepared.folder / "semantic.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    entry = {"bytes": path.stat().st_size, "sha256": "0" * 64}
    rewrite(prepared, lambda document: document["files"].update({"semantic.npy": entry}))
    error = opening_error(prepared.folder)
    assert "not a NumPy array" in error.problem
    assert_fixable(error, path)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_any_damage_to_a_header_is_a_named_error_or_none(prepared: Prepared) -> None:
    """Random changes to header bytes: the array opens unchanged, or an error names the file."""
    path = prepared.folder / "semantic.npy"
    good, rng = path.read_bytes(), random.Random(2)
    headers = [b"PK\x03\x04" + good[4:128], bytes(128), rng.randbytes(128)]
    for _ in range(300):
        header = bytearray(good[:128])
        for place in rng.sample(range(128), rng.choice([1, 1, 2, 5])):
            header[place] = rng.randrange(256)
        headers.append(bytes(header))
    refused = 0
    for header in headers:
        path.write_bytes(header + good[128:])
        try:
            assert Prepared.open(prepared.folder).array("semantic").shape == (SCENES, HEIGHT, WIDTH), header
        except UserError as error:
            assert_fixable(error, path)
            refused += 1
    assert refused > 200


def test_a_manifest_that_is_not_json_is_named(prepared: Prepared) -> None:
    path = prepared.folder / "manifest.json"
    for text in (path.read_text()[:200], "", "\x00\xff", "NaN and more"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(UserError) as caught:
            manifest_digest(prepared.folder)
        for error in (opening_error(prepared.folder), caught.value):
            assert "not valid JSON" in error.problem
            assert error.found
            assert_fixable(error, path)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str | None]] = {
    "no licence": (lambda document: document.pop("licence"), "licence"),
    "an unknown key": (lambda document: document.update(colour="red"), "colour"),
    "a file outside": (lambda document: document["modalities"]["rgb"].update(file="../rgb.npy"), "modalities.rgb.file"),
    "another size": (lambda document: document.update(size_px=[HEIGHT, WIDTH + 1]), None),
    "a short split": (lambda document: document["splits"].update(val=[3, 4]), None),
    "splits that overlap": (lambda document: document["splits"].update(val=[0, 2]), None),
    "splits with a gap": (lambda document: document["splits"].update(val=[4, 6]), None),
    "one split": (lambda document: document["splits"].pop("val"), None),
    "an unlisted file": (lambda document: document["files"].pop("rgb.npy"), None),
    "too few scenes": (lambda document: document["modalities"]["rgb"].update(shape=[4, HEIGHT, WIDTH, 3]), None),
    "another name": (lambda document: document.update(name="rooms"), None),
    "an invalid digest": (
        lambda document: document["files"]["rgb.npy"].update(sha256="abc"),
        "files.rgb.npy.sha256",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_manifest_that_contradicts_itself_is_named(prepared: Prepared, name: str) -> None:
    change, key = WRONG[name]
    rewrite(prepared, change)
    error = opening_error(prepared.folder)
    assert error.problem == "manifest.json is not a manifest of this version"
    assert error.key == key
    assert error.found
    assert_fixable(error, prepared.folder / "manifest.json")


def test_a_manifest_of_a_thousand_million_scenes_takes_no_memory_for_them(prepared: Prepared) -> None:
    """In a process of its own with 2 GiB."""
    scenes = 10**9

    def change(document: dict[str, Any]) -> None:
        document["spec"]["train_scenes"] = scenes
        document["splits"] = {"train": [0, scenes], "val": [scenes, scenes + document["spec"]["val_scenes"]]}

    rewrite(prepared, change)
    code = f"""
import resource
from pathlib import Path
from cenbench.data.manifest import Damaged, read_manifest
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
try:
    read_manifest(Path({str(prepared.folder)!r}))
except Damaged as error:
    print(error.found)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "does not start with" in done.stdout


def test_a_manifest_that_is_a_list_is_named(prepared: Prepared) -> None:
    (prepared.folder / "manifest.json").write_text("[1, 2]")
    assert_fixable(opening_error(prepared.folder), prepared.folder / "manifest.json")


@pytest.mark.parametrize("name", ["rgb.npy", "depth_zbuffer.npy", "semantic.npy"])
@pytest.mark.parametrize("place", [130, -1])
def test_verify_names_the_file_of_a_flipped_bit(prepared: Prepared, name: str, place: int) -> None:
    path = prepared.folder / name
    data = bytearray(path.read_bytes())
    data[place] ^= 0b100
    path.write_bytes(data)
    with pytest.raises(UserError, match=f"{name} has changed") as caught:
        Prepared.open(prepared.folder).verify()
    assert caught.value.key == "sha256"
    assert caught.value.expected == read_manifest(prepared.folder).files[name].sha256 != caught.value.found
    assert_fixable(caught.value, path)


def test_the_digest_depends_on_the_manifests_content_not_its_formatting(prepared: Prepared) -> None:
    path = prepared.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=8, sort_keys=False))
    assert Prepared.open(prepared.folder).digest == prepared.digest == manifest_digest(prepared.folder)
    rewrite(prepared, lambda document: document.update(citation="someone else"))
    assert Prepared.open(prepared.folder).digest != prepared.digest
    assert manifest_digest(prepared.folder) == Prepared.open(prepared.folder).digest


SPEC: dict[str, Any] = {
    "name": "synthrooms", "size_px": 32, "width_px": 40, "train_scenes": 6, "val_scenes": 2, "seed": 1, "version": 2,
    "buildings": 1, "tune_scenes": 0, "pretrain_scenes": 0, "depth": "filled", "depth_units_per_metre": None,
}  # fmt: skip
OTHER: dict[str, Any] = {
    "name": "nyudv2", "size_px": 33, "width_px": 41, "train_scenes": 7, "val_scenes": 3, "seed": 0, "version": 3,
    "buildings": 2, "tune_scenes": 1, "pretrain_scenes": 1,
}  # fmt: skip
DEPTH: dict[str, Any] = {"depth": "raw", "depth_units_per_metre": 1000.0}
"""Only for datasets that have such a choice."""


def test_a_manifest_without_the_newer_keys_keeps_its_digest(prepared: Prepared) -> None:
    """Finished cells store the digest of the manifest they were trained on: a new key must not change it."""
    document = json.loads((prepared.folder / "manifest.json").read_text())
    assert set(document) == {
        "format", "name", "version", "spec", "size_px", "splits", "modalities", "classes", "void", "files", "licence",
        "citation",
    }  # fmt: skip
    assert set(document["spec"]) == {
        "name", "size_px", "width_px", "train_scenes", "val_scenes", "seed", "version",
    }  # fmt: skip
    assert set(document["modalities"]["rgb"]) == {"file", "dtype", "shape", "unit", "range", "missing"}
    assert prepared.digest == digest(document) == manifest_digest(prepared.folder)
    rewrite(prepared, lambda document: document["modalities"]["depth_zbuffer"].update(units_per_metre=5000.0))
    assert Prepared.open(prepared.folder).digest == manifest_digest(prepared.folder) != prepared.digest


def test_dataset_key_changes_with_every_field_of_the_spec() -> None:
    assert set(SPEC) == set(DatasetSpec.model_fields), "add a new field to this test"
    assert SPEC.keys() == OTHER.keys() | DEPTH.keys()
    specs = [DatasetSpec(**SPEC)] + [DatasetSpec(**{**SPEC, field: value}) for field, value in OTHER.items()]
    official = {**SPEC, "name": "nyudv2"}
    specs += [DatasetSpec(**{**official, field: value}) for field, value in DEPTH.items()]
    assert len({dataset_key(spec) for spec in specs}) == len(specs)


def test_dataset_key_does_not_depend_on_how_the_spec_is_written() -> None:
    """It names folders of gigabytes: a default written out must not lead to another folder."""
    square = {**SPEC, "width_px": None}
    short = {name: value for name, value in square.items() if name not in ("width_px", "version")}
    keys = {
        dataset_key(DatasetSpec(**square)),
        dataset_key(DatasetSpec(**{**square, "width_px": 32})),
        dataset_key(DatasetSpec(**short)),
    }
    (key,) = keys
    assert key.startswith("synthrooms-32px-")
    with pytest.raises(ValidationError):
        DatasetSpec(**{**SPEC, "blur": 3})


def test_an_error_in_prepare_names_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="are missing") as caught:
        adapters.prepare(DatasetSpec(**{**SPEC, "name": "nyudv2", "version": 1}), tmp_path, 1, False)
    assert "nyu_depth_v2_labeled.mat" in str(caught.value)
    with pytest.raises(UserError, match="rendered and has no raw files"):
        adapters.prepare(DatasetSpec(**SPEC), tmp_path, 1, False, tmp_path)
    with pytest.raises(UserError, match="unknown dataset") as caught:
        adapters.prepare(DatasetSpec(**{**SPEC, "name": "kitti"}), tmp_path, 1, False)
    assert "synthrooms" in str(caught.value.expected)
    assert not list(tmp_path.iterdir())
