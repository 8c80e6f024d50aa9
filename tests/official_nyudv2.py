"""Stand-ins for NYUDv2: the authors' .mat, and the released code's folder. Pixels hold their own number.

Source: paper.md#nyudv2.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from official_files import Fault, StandIn, bilinear, nearest, truncate, write_image
from PIL import Image
from scipy.io import savemat

from cenbench.matrix.specs import DatasetSpec

FRAMES = 12
TRAIN, VAL = (5, 12, 3, 9, 1, 7, 10), (2, 11, 4)
"""Frames of the split, counted from 1, in its order; frames 6 and 8 are in neither."""
WHOLE = (480, 640)
ROWS, COLUMNS = slice(6, 480 - 6), slice(7, 640 - 8)
MAPPING = 1 + np.arange(1, 895) * 13 % 40
"""Class of 40, counted from 1, for each of the 894."""
FULL = DatasetSpec(name="nyudv2", size_px=468, width_px=625, train_scenes=len(TRAIN), val_scenes=len(VAL), seed=0)
SMALL = DatasetSpec(name="nyudv2", size_px=117, width_px=100, train_scenes=len(TRAIN), val_scenes=len(VAL), seed=0)


def rgb(frame: int) -> np.ndarray:
    """(480, 640, 3) u8."""
    row, column, channel = np.ogrid[:480, :640, :3]
    return ((frame * 7 + row * 3 + column * 5 + channel * 11) % 256).astype(np.uint8)


def depth(frame: int) -> np.ndarray:
    """(480, 640) u16 in 1/5000 m, up to 10 m; a missing patch."""
    row, column = np.ogrid[:480, :640]
    units = 1 + (frame * 4001 + row * 640 + column) % 50_000
    units[100:120, 200:260] = 0
    return units.astype(np.uint16)


def label(frame: int) -> np.ndarray:
    """(480, 640) u16: 0 unlabelled, 1 to 894."""
    row, column = np.ogrid[:480, :640]
    return ((frame + row * 2 + column * 3) % 895).astype(np.uint16)


def semantic(frame: int) -> np.ndarray:
    """(480, 640) u8: 0 to 39, void 255."""
    raw = label(frame).astype(int)
    return np.where(raw == 0, 255, MAPPING[raw - 1] - 1).astype(np.uint8)


def expected() -> list[dict[str, np.ndarray]]:
    scenes = []
    for frame in (*TRAIN, *VAL):
        whole = {"rgb": rgb(frame), "depth_zbuffer": depth(frame), "semantic": semantic(frame)}
        scenes.append({name: array[ROWS, COLUMNS] for name, array in whole.items()})
    return scenes


def expected_small() -> list[dict[str, np.ndarray]]:
    size = SMALL.shape_px
    return [
        {name: (bilinear if name == "rgb" else nearest)(array, size) for name, array in scene.items()}
        for scene in expected()
    ]


def write_mat(raw: Path) -> None:
    """As MATLAB writes it: arrays are (480, 640, 3, N), so their axes are reversed in HDF5; compressed."""
    frames = range(1, FRAMES + 1)
    matlab = {
        "images": np.stack([rgb(frame) for frame in frames], axis=-1),
        "depths": np.stack([(depth(frame) / 5000).astype(np.float32) for frame in frames], axis=-1),
        "labels": np.stack([label(frame) for frame in frames], axis=-1),
    }
    with h5py.File(raw / "nyu_depth_v2_labeled.mat", "w") as file:
        for name, array in matlab.items():
            file.create_dataset(name, data=array.transpose(), chunks=(1, *array.T.shape[1:]), compression=1)
        file["rawDepths"] = file["depths"]
    write_splits(raw, TRAIN, VAL)
    savemat(raw / "classMapping40.mat", {"mapClass": MAPPING[None].astype(np.float64), "className": ["wall"]})


def write_splits(raw: Path, train: tuple[int, ...], val: tuple[int, ...]) -> None:
    columns = {"trainNdxs": train, "testNdxs": val}
    savemat(raw / "splits.mat", {name: np.array(frames, np.uint16)[:, None] for name, frames in columns.items()})


def write_folder(raw: Path) -> None:
    """625 x 468 colour and labels (a palette), 640 x 480 depth; lists separated by tabs."""
    for frame in (*TRAIN, *VAL):
        write_image(raw / f"rgb/{frame:06d}.png", np.ascontiguousarray(rgb(frame)[ROWS, COLUMNS]))
        write_image(raw / f"depth/{frame:06d}.png", depth(frame))
        write_mask(raw / f"masks/{frame:06d}.png", semantic(frame)[ROWS, COLUMNS])
    for name, frames in (("train.txt", TRAIN), ("val.txt", VAL)):
        lines = [f"rgb/{frame:06d}.png\tmasks/{frame:06d}.png\tdepth/{frame:06d}.png\n" for frame in frames]
        (raw / name).write_text("".join(lines))


def write_mask(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    image = Image.fromarray(np.ascontiguousarray(labels))
    image.putpalette([value for entry in range(256) for value in (entry, 255 - entry, 7)])
    image.save(path)


def in_mat(name: str, change: Callable[[np.ndarray], np.ndarray | None]) -> Callable[[Path], None]:
    """Rewrite one array of the .mat: changed in place, or replaced by what is returned."""

    def damage(raw: Path) -> None:
        with h5py.File(raw / "nyu_depth_v2_labeled.mat", "r+") as file:
            array = file[name][:]
            changed = change(array)
            del file[name]
            file[name] = array if changed is None else changed

    return damage


def pixel(value: float) -> Callable[[np.ndarray], None]:
    """Set one pixel of frame 9 (row 20, column 30)."""

    def change(array: np.ndarray) -> None:
        array[8, 30, 20] = value

    return change


def overwrite(path: Path, old: bytes, new: bytes) -> None:
    """Damage the first occurrence of some bytes."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def link_outside(raw: Path) -> None:
    with h5py.File(raw.parent / "other.h5", "w") as other, h5py.File(raw / "nyu_depth_v2_labeled.mat", "r+") as file:
        other["depths"] = file["depths"][:]
        del file["depths"]
        file["depths"] = h5py.ExternalLink(str(raw.parent / "other.h5"), "/depths")


def remove_array(raw: Path) -> None:
    with h5py.File(raw / "nyu_depth_v2_labeled.mat", "r+") as file:
        del file["depths"]


MAT_FAULTS = {
    "the .mat truncated": Fault(
        lambda raw: truncate(raw / "nyu_depth_v2_labeled.mat"), "truncated", ("nyu_depth_v2_labeled.mat",)
    ),
    "the .mat another file": Fault(
        lambda raw: (raw / "nyu_depth_v2_labeled.mat").write_text("<html>404</html>"), "truncated, or another file"
    ),
    "the .mat damaged inside": Fault(
        lambda raw: overwrite(raw / "nyu_depth_v2_labeled.mat", b"TREE", b"xxxx"), "cannot be read"
    ),
    "split empty": Fault(lambda raw: (raw / "splits.mat").write_bytes(b""), "splits.mat cannot be read"),
    "an array missing": Fault(remove_array, "lacks depths", ("nyu_depth_v2_labeled.mat",)),
    "axes not reversed": Fault(
        in_mat("images", lambda array: np.ascontiguousarray(array.transpose(0, 3, 2, 1))),
        "images has an unexpected shape",
    ),
    "a wrong bit depth": Fault(
        in_mat("images", lambda array: array.astype(np.uint16)), "images has an unexpected data type"
    ),
    "depth as integers": Fault(
        in_mat("depths", lambda array: (array * 1000).astype(np.uint16)),
        "depths has an unexpected data type", ("uint16",),
    ),
    "depth in another file": Fault(link_outside, "does not hold all values of depths", ("other.h5",)),
    "fewer depths": Fault(in_mat("depths", lambda array: array[:-1]), "depths has an unexpected shape"),
    "no split": Fault(lambda raw: (raw / "splits.mat").unlink(), "splits.mat is missing"),
    "split truncated": Fault(lambda raw: truncate(raw / "splits.mat"), "splits.mat cannot be read"),
    "split names absent frames": Fault(
        lambda raw: write_splits(raw, (1, 2, 77, 13), (3, 0)),
        "do not exist: 3", ("trainNdxs 77", "trainNdxs 13", "testNdxs 0"),
    ),
    "halves share frames": Fault(
        lambda raw: write_splits(raw, (1, 2, 5), (5, 3)),
        "in both halves, or twice in one: 1", ("000005: in train and in val",),
    ),
    "a split of text": Fault(
        lambda raw: savemat(raw / "splits.mat", {"trainNdxs": ["a", "b"], "testNdxs": [2, 3]}),
        "trainNdxs has unexpected contents", ("whole numbers",),
    ),
    "a split with fractions": Fault(
        lambda raw: savemat(raw / "splits.mat", {"trainNdxs": [1.0, 2.5], "testNdxs": [3, np.nan]}),
        "trainNdxs has unexpected contents", ("2.5",),
    ),
    "a mapping of cells": Fault(
        lambda raw: savemat(raw / "classMapping40.mat", {"mapClass": np.array([[1], ["x"]], object)}),
        "mapClass has unexpected contents",
    ),
    "a frame twice": Fault(
        lambda raw: write_splits(raw, (1, 3, 5, 3), VAL),
        "in both halves, or twice in one: 1", ("000003: twice in train",),
    ),
    "too few": Fault(lambda raw: write_splits(raw, TRAIN, VAL[:2]), "too few samples for val"),
    "no mapping": Fault(lambda raw: (raw / "classMapping40.mat").unlink(), "classMapping40.mat is missing"),
    "another mapping": Fault(
        lambda raw: savemat(raw / "classMapping40.mat", {"mapClass": np.ones((1, 13))}),
        "unexpected contents", ("13 entries",),
    ),
    "labels out of range": Fault(in_mat("labels", pixel(895)), "labels out of range", ("frame 000009", "895")),
    "depth NaN": Fault(in_mat("depths", pixel(np.nan)), "not a number", ("frame 000009", "1 pixels")),
    "depth negative": Fault(in_mat("depths", pixel(-1)), "depth out of range", ("frame 000009",)),
    "depth in millimetres": Fault(in_mat("depths", pixel(2000)), "depth out of range", ("frame 000009", "2000")),
    "two versions": Fault(lambda raw: write_folder(raw), "two versions of NYUDv2"),
}  # fmt: skip


def remove_several(raw: Path) -> None:
    (raw / "masks/000003.png").unlink()
    (raw / "depth/000003.png").unlink()
    (raw / "rgb/000011.png").unlink()


def damage_several(raw: Path) -> None:
    truncate(raw / "rgb/000003.png")
    write_image(raw / "depth/000004.png", depth(4)[ROWS, COLUMNS])


FOLDER_FAULTS = {
    "files missing, all named": Fault(
        remove_several, "files that are missing: 2", ("masks/000003.png", "depth/000003.png", "rgb/000011.png")
    ),
    "an image truncated": Fault(lambda raw: truncate(raw / "rgb/000009.png"), "truncated", ("rgb/000009.png",)),
    "several damaged images, all named": Fault(
        damage_several, "2 scenes cannot be read", ("rgb/000003.png", "depth/000004.png")
    ),
    "a wrong size": Fault(
        lambda raw: write_image(raw / "rgb/000009.png", rgb(9)),
        "unexpected size", ("000009.png", "640 x 480", "625 x 468"),
    ),
    "a wrong bit depth": Fault(
        lambda raw: write_image(raw / "depth/000009.png", (depth(9) // 256).astype(np.uint8)),
        "unexpected bit depth", ("depth/000009.png", "8 bits", "16 bits"),
    ),
    "colour labels": Fault(
        lambda raw: write_image(raw / "masks/000009.png", np.ascontiguousarray(rgb(9)[ROWS, COLUMNS])),
        "number of channels", ("masks/000009.png",),
    ),
    "labels out of range": Fault(
        lambda raw: write_mask(raw / "masks/000009.png", np.full((468, 625), 40, np.uint8)),
        "labels out of range", ("masks/000009.png", "40"),
    ),
    "no list": Fault(lambda raw: (raw / "val.txt").unlink(), "val.txt is missing"),
    "a line without depth": Fault(
        lambda raw: (raw / "val.txt").write_text("rgb/000002.png\tmasks/000002.png\n"), "unexpected format", ("line 1",)
    ),
    "a line that leads outside": Fault(
        lambda raw: (raw / "val.txt").write_text("../a.png\tmasks/000002.png\tdepth/000002.png\n"), "unexpected format"
    ),
    "a line twice": Fault(
        lambda raw: (raw / "val.txt").write_text(2 * "rgb/000002.png\tmasks/000002.png\tdepth/000002.png\n"),
        "in both halves, or twice in one: 1", ("000002: twice in val",),
    ),
    "two samples of one name": Fault(
        lambda raw: (raw / "val.txt").write_text(
            "rgb/000002.png\tmasks/000002.png\tdepth/000002.png\n"
            "./rgb/000002.png\tmasks/000002.png\tdepth/000002.png\n"
        ),
        "in both halves, or twice in one: 1", ("000002: twice in val (rgb/000002.png and ./rgb/000002.png)",),
    ),
    "lines that mix frames, all named": Fault(
        lambda raw: (raw / "val.txt").write_text(
            "rgb/000002.png\tmasks/000011.png\tdepth/000002.png\n"
            "rgb/000011.png\tmasks/000011.png\tdepth/000004.png\n"
            "rgb/000004.png\tmasks/000004.png\tdepth/000004.png\n"
        ),
        "files of different frames: 2",
        ("val.txt, 000002: rgb/000002.png, masks/000011.png", "val.txt, 000011"),
    ),
    "lists share samples": Fault(
        lambda raw: (raw / "val.txt").write_bytes((raw / "train.txt").read_bytes()),
        "in both halves, or twice in one: 7", ("000005",),
    ),
    "nothing of it": Fault(
        lambda raw: [path.rename(raw / f"old-{path.name}") for path in list(raw.iterdir())], "no version of NYUDv2"
    ),
}  # fmt: skip

STAND_INS = [
    StandIn("nyudv2-mat", FULL, write_mat, expected, faults=MAT_FAULTS),
    StandIn("nyudv2-folder", SMALL, write_folder, expected_small, tolerance=1, faults=FOLDER_FAULTS),
]
