"""SUN RGB-D in small: four sensors' folders, MATLAB v5 metadata, HDF5 labels with reversed axes, rotated depth bits."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import scipy.io
from official_files import Fault, StandIn
from PIL import Image

from cenbench.matrix.specs import DatasetSpec

ROOT = "/n/fs/sun3d/data"
TEST, TRAIN = 5, 8
SPEC = DatasetSpec(name="sunrgbd", size_px=6, width_px=8, train_scenes=TRAIN, val_scenes=TEST, seed=0)
SIZES = {"kv1": (12, 16), "kv2": (18, 24), "realsense": (6, 8), "xtion": (24, 32)}
"""Sensor -> height, width: whole multiples of the spec's, so that flat blocks keep their values when shrunk."""
SENSORS = ("kv1/NYUdata", "kv2/kinect2data", "realsense/lg", "xtion/xtion_align_data")
LABELS = "SUNRGBDtoolbox/Metadata/SUNRGBD2Dseg.mat"
COLOURS = (
    (121, 131, 193),
    (79, 222, 108),
    (69, 211, 65),
    (67, 5, 192),
    (191, 246, 23),
    (185, 75, 138),
    (41, 82, 248),
    (107, 132, 74),
    (148, 130, 172),
    (224, 79, 120),
    (163, 216, 206),
    (38, 10, 123),
    (228, 6, 125),
)
"""One per frame, chosen so that JPEG reproduces them exactly."""
NO_FILLED = 0
"""Frame without depth_bfx: its raw depth is read."""
SENSED_MM = 2000
"""The only pixel of raw depth of every other frame, in its corner."""


def folder(frame: int) -> str:
    return f"SUNRGBD/{SENSORS[frame % 4]}/scene_{frame:04d}"


def path_of(what: str, frame: int) -> str:
    return f"{folder(frame)}/{what}/{frame:07d}.{'jpg' if what == 'image' else 'png'}"


def contents(frame: int) -> dict[str, np.ndarray]:
    """rgb of one colour per picture, because JPEG keeps little else; depth in mm and labels of the spec's size."""
    small = np.random.default_rng(100 + frame)
    depth = small.integers(0, 12_000, (6, 8)).astype(np.uint16)
    depth.flat[:5] = (0, 1, 7_999, 8_000, 8_001)
    labels = small.integers(0, 38, (6, 8)).astype(np.uint16)
    labels.flat[:38] = np.arange(38)
    return {"rgb": np.full((6, 8, 3), COLOURS[frame], np.uint8), "depth": depth, "labels": labels}


def enlarged(array: np.ndarray, frame: int) -> np.ndarray:
    times = SIZES[SENSORS[frame % 4].split("/")[0]][0] // 6
    return array.repeat(times, 0).repeat(times, 1)


def rotated(millimetres: np.ndarray) -> np.ndarray:
    """Rotated left by three bits: the three highest of 16 come last. Written bit by bit."""
    words = [f"{int(value):016b}" for value in millimetres.flat]
    return np.array([int(word[3:] + word[:3], 2) for word in words], np.uint16).reshape(millimetres.shape)


def write(raw: Path) -> None:
    frames = range(TEST + TRAIN)
    for frame in frames:
        small = contents(frame)
        for what in ("image", "depth", "depth_bfx"):
            (raw / path_of(what, frame)).parent.mkdir(parents=True)
        Image.fromarray(enlarged(small["rgb"], frame)).save(raw / path_of("image", frame), quality=100, subsampling=0)
        filled = rotated(enlarged(small["depth"], frame))
        sparse = np.zeros_like(small["depth"])
        sparse[0, 0] = SENSED_MM
        sensed = filled if frame == NO_FILLED else rotated(enlarged(sparse, frame))
        Image.fromarray(sensed).save(raw / path_of("depth", frame))
        if frame != NO_FILLED:
            Image.fromarray(filled).save(raw / path_of("depth_bfx", frame))
    write_toolbox(raw, [contents(frame)["labels"] for frame in frames])


def write_toolbox(raw: Path, labels: list[np.ndarray]) -> None:
    toolbox = raw / "SUNRGBDtoolbox"
    (toolbox / "Metadata").mkdir(parents=True)
    (toolbox / "traintestSUNRGBD").mkdir()
    frames = range(len(labels))
    fields = ["sequenceName", "rgbpath", "depthpath", "rgbname", "depthname", "sensorType", "K", "valid"]
    meta = np.zeros((1, len(labels)), [(name, object) for name in fields])
    for frame in frames:
        rgb, depth = (f"{ROOT}/{path_of(what, frame)}" for what in ("image", "depth"))
        kinds = (folder(frame), rgb, depth, Path(rgb).name, Path(depth).name, SENSORS[frame % 4].split("/")[0])
        for name, value in zip(fields, (*kinds, np.eye(3), True), strict=True):
            meta[name][0, frame] = value
    scipy.io.savemat(toolbox / "Metadata" / "SUNRGBDMeta.mat", {"SUNRGBDMeta": meta}, do_compression=True)
    names = np.array([f"name {number}" for number in range(1, 38)], object)[None]
    scipy.io.savemat(toolbox / "Metadata" / "seg37list.mat", {"seg37list": names})
    rewrite_split(raw, frames[TEST:], frames[:TEST][::-1])
    write_labels(raw / LABELS, [enlarged(label, frame) for frame, label in enumerate(labels)])


def write_labels(path: Path, labels_HW: list[np.ndarray]) -> None:
    """A struct array of MATLAB v7.3: a dataset of references, and behind each the label with its axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        references = file.create_dataset("SUNRGBD2Dseg/seglabel", (len(labels_HW), 1), h5py.ref_dtype)
        for number, label_HW in enumerate(labels_HW):
            stored = file.create_dataset(f"#refs#/{number:x}", data=label_HW.T.astype(np.uint16), compression="gzip")
            references[number, 0] = stored.ref
    with path.open("r+b") as raw_file:
        raw_file.write(b"MATLAB 7.3 MAT-file".ljust(116) + b" " * 8 + b"\x00\x02IM")


def write_zips(raw: Path) -> None:
    write(raw)
    for top in ("SUNRGBD", "SUNRGBDtoolbox"):
        with zipfile.ZipFile(raw / f"{top}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((raw / top).rglob("*")):
                archive.write(path, path.relative_to(raw).as_posix())
        shutil.rmtree(raw / top)


def write_ready(raw: Path) -> None:
    """Labels that others extracted, beside the images: 8-bit, numbered from 1 in the order of the metadata."""
    write(raw)
    (raw / LABELS).unlink()
    ready = raw / "sunrgbd_train_test_labels"
    ready.mkdir()
    for frame in range(TEST + TRAIN):
        labels = enlarged(contents(frame)["labels"], frame).astype(np.uint8)
        Image.fromarray(labels).save(ready / f"img-{frame + 1:06d}.png")


def expected() -> list[dict[str, np.ndarray]]:
    """Train first, then test, each in the order of the metadata."""
    scenes = []
    for frame in (*range(TEST, TEST + TRAIN), *range(TEST)):
        small = contents(frame)
        metres = np.minimum(small["depth"].astype(float) / 1000, 8.0)
        units = np.array([[max(round(512 * value), 1) if value else 0 for value in row] for row in metres], np.uint16)
        labels = np.array([[255 if label == 0 else label - 1 for label in row] for row in small["labels"]], np.uint8)
        scenes.append({"rgb": small["rgb"], "depth_zbuffer": units, "semantic": labels})
    return scenes


def cut(path: Path, share: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def gone(raw: Path) -> None:
    (raw / path_of("image", 2)).unlink()
    for what in ("depth", "depth_bfx"):
        (raw / path_of(what, 9)).unlink()


def rewrite_split(raw: Path, train: Iterable[int], test: Iterable[int], also: tuple[str, ...] = ()) -> None:
    """Write another allsplit.mat: these frames, and folders that do not exist."""
    whole = {"alltrain": [*map(folder, train), *also], "alltest": [*map(folder, test)]}
    lists = {name: np.array([f"{ROOT}/{path}" for path in paths], object)[None] for name, paths in whole.items()}
    scipy.io.savemat(raw / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat", lists)


def split_of_another_release(raw: Path) -> None:
    rewrite_split(raw, range(TEST, TEST + TRAIN), range(TEST), ("SUNRGBD/kv1/absent_1", "SUNRGBD/kv1/absent_2"))


def other_labels(raw: Path, frame: int, label_HW: np.ndarray) -> None:
    labels = [enlarged(contents(other)["labels"], other) for other in range(TEST + TRAIN)]
    labels[frame] = label_HW
    (raw / LABELS).unlink()
    write_labels(raw / LABELS, labels)


def never_written(raw: Path) -> None:
    """The label of frame 3 exists with its shape, but none of its values was ever written."""
    with h5py.File(raw / LABELS, "r+") as file:
        shape = file["#refs#/3"].shape
        del file["#refs#/3"]
        empty = file.create_dataset("#refs#/3", shape, np.uint16, chunks=(shape[0] // 2, shape[1]))
        file["SUNRGBD2Dseg/seglabel"][3, 0] = empty.ref


def compound(raw: Path) -> None:
    """The label of frame 3 is a struct of fields."""
    with h5py.File(raw / LABELS, "r+") as file:
        shape = file["#refs#/3"].shape
        del file["#refs#/3"]
        fields = file.create_dataset("#refs#/3", data=np.zeros(shape, [("real", "f4"), ("imag", "f4")]))
        file["SUNRGBD2Dseg/seglabel"][3, 0] = fields.ref


def rewrite_meta(raw: Path, frame: int, **values: str) -> None:
    """Write other paths for one frame into SUNRGBDMeta.mat."""
    path = raw / "SUNRGBDtoolbox/Metadata/SUNRGBDMeta.mat"
    meta = scipy.io.loadmat(path)["SUNRGBDMeta"]
    for name, value in values.items():
        meta[name][0, frame] = f"{ROOT}/{value}"
    scipy.io.savemat(path, {"SUNRGBDMeta": meta})


def no_depth(raw: Path) -> None:
    for path in raw.glob("SUNRGBD/**/depth*/*.png"):
        Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)


def both_labels(raw: Path) -> None:
    (raw / "sunrgbd_train_test_labels").mkdir()


FAULTS = {
    "files missing": Fault(
        gone, "files of the official lists are missing: 2", (path_of("image", 2), path_of("depth", 9), "img-000003")
    ),
    "toolbox missing": Fault(lambda raw: shutil.rmtree(raw / "SUNRGBDtoolbox"), "SUNRGBDMeta.mat is missing"),
    "metadata truncated": Fault(
        lambda raw: cut(raw / "SUNRGBDtoolbox/Metadata/SUNRGBDMeta.mat"), "damaged, truncated", ("SUNRGBDMeta.mat",)
    ),
    "labels truncated": Fault(lambda raw: cut(raw / LABELS), "damaged, truncated", ("SUNRGBD2Dseg.mat",)),
    "image truncated": Fault(lambda raw: cut(raw / path_of("depth_bfx", 5)), "truncated", (path_of("depth_bfx", 5),)),
    "wrong size": Fault(
        lambda raw: Image.fromarray(np.zeros((5, 8), np.uint16)).save(raw / path_of("depth_bfx", 6)),
        "unexpected size",
        (path_of("depth_bfx", 6),),
    ),
    "label of another size": Fault(
        lambda raw: other_labels(raw, 6, np.ones((8, 6), np.uint16)), "differs in size from its image", ("img-000007",)
    ),
    "wrong bit depth": Fault(
        lambda raw: Image.fromarray(np.zeros((18, 24), np.uint8)).save(raw / path_of("depth_bfx", 5)),
        "unexpected bit depth",
        (path_of("depth_bfx", 5),),
    ),
    "labels out of range": Fault(
        lambda raw: other_labels(raw, 7, np.full((24, 32), 38, np.uint16)), "damaged", ("labels 38", "SUNRGBD2Dseg(8)")
    ),
    "a label never written": Fault(
        never_written, "does not hold all values", ("SUNRGBD2Dseg(4)", "2 of 2 chunks that were never written")
    ),
    "a label of fields": Fault(compound, "damaged", ("SUNRGBD2Dseg(4)", "'real'")),
    "two versions of the labels": Fault(both_labels, "side by side", ("sunrgbd_train_test_labels", LABELS)),
    "an image twice in the split": Fault(
        lambda raw: rewrite_split(raw, [5, 5, *range(6, 12)], range(TEST)),
        "in both halves, or twice in one: 1",
        ("img-000006: twice in train",),
    ),
    "an image in both halves": Fault(
        lambda raw: rewrite_split(raw, range(TEST, TEST + TRAIN), range(TEST + 1)),
        "in both halves, or twice in one: 1",
        ("img-000006: in train and in val",),
    ),
    "two frames of one folder": Fault(
        lambda raw: rewrite_meta(raw, 6, rgbpath=path_of("image", 5), depthpath=path_of("depth", 5)),
        "folder of their own: 1",
        ("SUNRGBDMeta(7)", "SUNRGBDMeta(6)", folder(5)),
    ),
    "depth of another frame": Fault(
        lambda raw: rewrite_meta(raw, 8, depthpath=path_of("depth", 12)),
        "folder of their own: 1",
        (path_of("image", 8), path_of("depth", 12)),
    ),
    "no depth at all": Fault(
        no_depth, "no values of a modality", ("depth_zbuffer: 0, missing, in every pixel of val",)
    ),
    "split of absent images": Fault(split_of_another_release, "names 2 images", ("absent_1", "absent_2")),
}
ZIP_FAULTS = {
    "a zip truncated": Fault(lambda raw: cut(raw / "SUNRGBD.zip"), "damaged or truncated", ("SUNRGBD.zip",)),
    "a zip missing": Fault(lambda raw: (raw / "SUNRGBD.zip").unlink(), "are missing: 26", (path_of("image", 5),)),
}
STAND_INS = [
    StandIn("sunrgbd-folders", SPEC, write, expected, faults=FAULTS),
    StandIn("sunrgbd-zips", SPEC, write_zips, expected, faults=ZIP_FAULTS),
    StandIn("sunrgbd-ready-labels", SPEC, write_ready, expected),
]
