"""Depth in another unit, and filled depth mixed with raw depth, are reported; both are settings of the dataset."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import official_nyudv2
import official_sunrgbd
import pytest
from official_files import write_image
from PIL import Image
from pydantic import ValidationError

from cenbench.data import adapters
from cenbench.data.manifest import read_manifest
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec, dataset_key

NYUDV2, SUNRGBD = official_nyudv2.SMALL, official_sunrgbd.SPEC
FRAMES = (*official_nyudv2.TRAIN, *official_nyudv2.VAL)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Raw folders by name. Do not change them: use `copied`."""
    root = tmp_path_factory.mktemp("raw")
    made = {name: root / name for name in ("folder", "mat", "sunrgbd")}
    for path in made.values():
        path.mkdir()
    official_nyudv2.write_folder(made["folder"])
    official_nyudv2.write_mat(made["mat"])
    official_sunrgbd.write(made["sunrgbd"])
    return made


def copied(folders: dict[str, Path], name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders[name], tmp_path / "raw"))


def prepared(spec: DatasetSpec, raw: Path, tmp_path: Path) -> Prepared:
    return Prepared.open(adapters.prepare(spec, tmp_path / "prepared", 1, False, raw))


def asking(spec: DatasetSpec, **more: Any) -> DatasetSpec:
    return DatasetSpec(**{**spec.model_dump(), **more})


def store(raw: Path, units_per_metre: float, *, nearest: bool = False) -> list[np.ndarray]:
    """Store the folder's depth in another unit, or divided by ten; returns what it is in 1/5000 m."""
    expected = []
    for frame in FRAMES:
        units = official_nyudv2.depth(frame) // 10 if nearest else official_nyudv2.depth(frame)
        stored = np.rint(units / 5000 * units_per_metre).astype(np.uint16)
        stored[3, 4] = 65535 if units_per_metre != 5000 or nearest else stored[3, 4]  # a broken pixel in the border
        write_image(raw / f"depth/{frame:06d}.png", stored)
        expected.append(np.where(stored > 0, np.rint(stored / units_per_metre * 5000), 0))
    return expected


def test_millimetres_are_refused_naming_the_setting(folders: dict[str, Path], tmp_path: Path) -> None:
    raw = copied(folders, "folder", tmp_path)
    expected = store(raw, 1000)
    with pytest.raises(UserError, match=r"the depth of all 10 images is under 3 m") as caught:
        prepared(NYUDV2, raw, tmp_path)
    assert caught.value.key == "dataset.depth_units_per_metre"
    assert "dataset: {depth_units_per_metre: 1000}" in str(caught.value.fix)
    assert not (tmp_path / "prepared" / dataset_key(NYUDV2)).exists()
    for frame in FRAMES:  # the broken pixel is 65 m away
        stored = np.array(Image.open(raw / f"depth/{frame:06d}.png"))
        stored[3, 4] = 0
        write_image(raw / f"depth/{frame:06d}.png", stored)
    spec = asking(NYUDV2, depth_units_per_metre=1000, size_px=468, width_px=625)
    found = prepared(spec, raw, tmp_path).array("depth_zbuffer")
    for scene, units in zip(found, expected, strict=True):
        rows, columns = official_nyudv2.ROWS, official_nyudv2.COLUMNS
        assert np.array_equal(scene, units[rows, columns])


def test_rooms_that_really_are_near_need_the_unit_stated(folders: dict[str, Path], tmp_path: Path) -> None:
    raw = copied(folders, "folder", tmp_path)
    store(raw, 5000, nearest=True)
    with pytest.raises(UserError, match="is under 3 m"):
        prepared(NYUDV2, raw, tmp_path)
    prepared(asking(NYUDV2, depth_units_per_metre=5000), raw, tmp_path)


def test_one_room_that_is_deep_enough_shows_the_unit(folders: dict[str, Path], tmp_path: Path) -> None:
    raw = copied(folders, "folder", tmp_path)
    store(raw, 5000, nearest=True)
    write_image(raw / f"depth/{FRAMES[-1]:06d}.png", official_nyudv2.depth(FRAMES[-1]))
    prepared(NYUDV2, raw, tmp_path)


def test_a_unit_that_makes_rooms_too_deep_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="depth out of range"):
        prepared(asking(NYUDV2, depth_units_per_metre=1000), copied(folders, "folder", tmp_path), tmp_path)


def test_a_large_value_that_stands_for_missing_depth_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """65535 would be 13.1 m, more than the sensor measures; some broken pixels are left as they are."""
    raw = copied(folders, "folder", tmp_path)
    path = raw / f"depth/{FRAMES[2]:06d}.png"
    depth = official_nyudv2.depth(FRAMES[2])
    depth[:3] = 65535
    write_image(path, depth)
    prepared(NYUDV2, raw, tmp_path)
    depth[:40] = 65535
    write_image(path, depth)
    for spec in (NYUDV2, asking(NYUDV2, depth_units_per_metre=5000)):
        with pytest.raises(UserError, match="beyond what its sensor measures") as caught:
            prepared(spec, raw, tmp_path / "again")
        assert caught.value.where == path
        assert "25600 pixels over 11 m, up to 13.11 m" in str(caught.value.found)
        assert "65535" in str(caught.value.fix)


@pytest.mark.parametrize("name", ["folder", "mat"])
def test_a_dataset_without_any_depth_is_refused(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    raw = copied(folders, name, tmp_path)
    if name == "mat":
        with h5py.File(raw / "nyu_depth_v2_labeled.mat", "r+") as file:
            file["depths"][:] = 0
    else:
        for frame in FRAMES:
            write_image(raw / f"depth/{frame:06d}.png", np.zeros(official_nyudv2.WHOLE, np.uint16))
    with pytest.raises(UserError, match="no image has any depth"):
        prepared(NYUDV2, raw, tmp_path)


def test_depth_of_the_mat_file_that_is_not_in_metres_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    raw = copied(folders, "mat", tmp_path)
    with h5py.File(raw / "nyu_depth_v2_labeled.mat", "r+") as file:
        file["depths"][:] = file["depths"][:] / 10  # as fractions of the largest depth
    with pytest.raises(UserError, match="under 3 m: it is stored in another unit") as caught:
        prepared(NYUDV2, raw, tmp_path)
    assert "its depth is in metres" in str(caught.value.fix)


def test_plain_millimetres_of_sunrgbd_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """Read as rotated bits, seven of eight distances would become 8 m without a word."""
    raw = copied(folders, "sunrgbd", tmp_path)
    for path in raw.rglob("depth*/*.png"):
        stored = np.array(Image.open(path))
        write_image(path, (stored >> 3) | (stored << 13))
    with pytest.raises(UserError, match="in another way than SUN RGB-D publishes it") as caught:
        prepared(SUNRGBD, raw, tmp_path)
    assert "rotated left by three" in str(caught.value.expected)


def test_the_mat_file_states_its_unit(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds depth in metres"):
        prepared(asking(NYUDV2, depth_units_per_metre=1000), folders["mat"], tmp_path)


def test_raw_depth_of_nyudv2_is_a_choice(folders: dict[str, Path], tmp_path: Path) -> None:
    raw = copied(folders, "mat", tmp_path)
    filled = prepared(NYUDV2, raw, tmp_path).array("depth_zbuffer").copy()
    with h5py.File(raw / "nyu_depth_v2_labeled.mat", "r+") as file:
        measured = file["depths"][:]
        measured[:, 50:60] = 0
        del file["rawDepths"]
        file["rawDepths"] = measured
    as_measured = prepared(asking(NYUDV2, depth="raw"), raw, tmp_path).array("depth_zbuffer")
    assert (as_measured == 0).sum() > (filled == 0).sum()
    assert np.array_equal(np.where(as_measured > 0, filled, 0), as_measured)
    with h5py.File(raw / "nyu_depth_v2_labeled.mat", "r+") as file:
        del file["rawDepths"]
    with pytest.raises(UserError, match="lacks rawDepths"):
        prepared(asking(NYUDV2, depth="raw"), raw, tmp_path / "again")
    with pytest.raises(UserError, match="does not state whether its holes are filled"):
        prepared(asking(NYUDV2, depth="raw"), folders["folder"], tmp_path / "folder")


def test_scenes_without_filled_depth_are_counted_printed_and_in_the_manifest(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = prepared(SUNRGBD, folders["sunrgbd"], tmp_path)
    note = "1 of 13 scenes have no filled depth (depth_bfx), so theirs has holes: img-000001"
    assert made.manifest.notes == (note,)
    assert note in capsys.readouterr().err


def test_raw_depth_of_sunrgbd_is_a_choice(folders: dict[str, Path], tmp_path: Path) -> None:
    """The stand-in's raw depth is one pixel, apart from the scene that has no filled one."""
    made = prepared(asking(SUNRGBD, depth="raw"), folders["sunrgbd"], tmp_path)
    depth = made.array("depth_zbuffer")
    scene = made.manifest.scenes.index("img-000001")
    assert (depth[scene] > 0).mean() > 0.5
    others = np.delete(depth, scene, axis=0)
    assert (others[:, 0, 0] == official_sunrgbd.SENSED_MM / 1000 * 512).all()
    assert np.count_nonzero(others) == len(others)
    assert "as measured" in made.manifest.modalities["depth_zbuffer"].unit
    assert len(made.manifest.notes) == 1


def test_a_copy_without_any_filled_depth_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    raw = copied(folders, "sunrgbd", tmp_path)
    for folder in raw.rglob("depth_bfx"):
        shutil.rmtree(folder)
    with pytest.raises(UserError, match="no scene has filled depth") as caught:
        prepared(SUNRGBD, raw, tmp_path)
    assert "dataset: {depth: raw}" in str(caught.value.fix)
    prepared(asking(SUNRGBD, depth="raw"), raw, tmp_path)


def test_a_dataset_with_filled_depth_everywhere_has_no_note(folders: dict[str, Path], tmp_path: Path) -> None:
    raw = copied(folders, "sunrgbd", tmp_path)
    frame = official_sunrgbd.NO_FILLED
    source, target = (raw / official_sunrgbd.path_of(kind, frame) for kind in ("depth", "depth_bfx"))
    target.parent.mkdir(exist_ok=True)
    shutil.copy(source, target)
    folder = prepared(SUNRGBD, raw, tmp_path).folder
    assert read_manifest(folder).notes == ()
    assert '"notes"' not in (folder / "manifest.json").read_text(), "manifests of earlier versions keep their digest"


@pytest.mark.parametrize(("key", "value"), [("depth", "raw"), ("depth_units_per_metre", 1000)])
def test_datasets_without_the_choice_refuse_it(key: str, value: object) -> None:
    other = {"name": "taskonomy", "size_px": 64, "train_scenes": 1, "val_scenes": 1, "seed": 0}
    with pytest.raises(ValidationError, match=key):
        DatasetSpec(**{**other, key: value})


def test_keys_of_todays_presets_are_pinned() -> None:
    """The new settings change no id at their defaults: folders of gigabytes keep their name."""
    spec = {"size_px": 468, "width_px": 625, "train_scenes": 795, "val_scenes": 654, "seed": 0}
    assert dataset_key(DatasetSpec(name="nyudv2", **spec)) == "nyudv2-468x625px-e55ee54b79"
    written_out = {**spec, "depth": "filled", "depth_units_per_metre": None}
    assert dataset_key(DatasetSpec(name="nyudv2", **written_out)) == "nyudv2-468x625px-e55ee54b79"
    spec = {"size_px": 468, "width_px": 625, "train_scenes": 5285, "val_scenes": 5050, "seed": 0}
    assert dataset_key(DatasetSpec(name="sunrgbd", **spec)) == "sunrgbd-468x625px-5b6207130b"
