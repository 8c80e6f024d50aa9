"""NYUDv2 as its authors publish it: one HDF5 .mat of 1,449 labelled frames, the split, 894 classes to 40.

Source: paper.md#nyudv2.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat

from cenbench.data.official.adapter import Sample, Split, Unusable
from cenbench.data.official.hdf5 import open_hdf5, stored_dataset
from cenbench.data.official.images import metres_to_units
from cenbench.data.official.mat5 import check_mat5
from cenbench.data.official.nearness import check_unit
from cenbench.data.official.nyudv2_folder import UNITS_PER_METRE, WHOLE, crop
from cenbench.data.reading import read_bytes
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec
from cenbench.regular_file import is_system_error, kind_of, unreadable

LABELED, SPLITS, MAPPING = "nyu_depth_v2_labeled.mat", "splits.mat", "classMapping40.mat"
RAW_CLASSES, CLASSES, VOID = 894, 40, 255
_MOST_BYTES = 2**26
"""Memory for a variable of the two small files, which take kilobytes."""
_DEPTHS = {"filled": "depths", "raw": "rawDepths"}
_SHAPES = {"images": (3, 640, 480), "depths": (640, 480), "rawDepths": (640, 480), "labels": (640, 480)}
"""Shape of one frame as h5py sees it: MATLAB's axes in reverse, width before height."""
_HDF5_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError)
"""What h5py raises on a damaged file."""


def found_in(raw: Path) -> str | None:
    """The parts of this layout that the raw folder holds, in words; None if there are none."""
    return LABELED if kind_of(raw / LABELED) else None


def scan(raw: Path, spec: DatasetSpec) -> tuple[list[Sample], list[Sample], tuple[str, ...]]:
    """(training samples, validation samples, names of the three files), in the order of the official split."""
    if spec.depth_units_per_metre is not None:
        raise UserError(
            f"{LABELED} holds depth in metres", where=raw, key="dataset.depth_units_per_metre",
            found=spec.depth_units_per_metre, fix="leave it out",
        )  # fmt: skip
    with _open(raw) as file:
        frames = _frames(file, raw / LABELED, _DEPTHS[spec.depth])
    split = _load(raw / SPLITS, ("trainNdxs", "testNdxs"))
    train, val = (_whole_numbers(split[name], raw / SPLITS, name) for name in ("trainNdxs", "testNdxs"))
    unusable = Unusable()
    for name, numbers in (("trainNdxs", train), ("testNdxs", val)):
        for number in numbers[(numbers < 1) | (numbers > frames)]:
            unusable.add(f"{name} {number}", f"{LABELED} has frames 1 to {frames}")
    unusable.refuse(raw / SPLITS, "the split names frames that do not exist", f"get {LABELED} and {SPLITS} again")
    class_mapping(raw)
    _check_metres(raw, spec)
    return _samples(train, "train"), _samples(val, "val"), (LABELED, SPLITS, MAPPING)


def _check_metres(raw: Path, spec: DatasetSpec) -> None:
    """Raise `UserError` if the depth of the frames, wherever it may come from, is no depth of rooms in metres."""
    with _open(raw) as file:
        depths = stored_dataset(file, _DEPTHS[spec.depth], raw / LABELED, complete=False)
        check_unit(
            raw / LABELED, map(str, range(len(depths))), lambda number: np.asarray(depths[int(number)]), 1.0,
            fix=f"get {LABELED} again as published: its depth is in metres",
        )  # fmt: skip


def _samples(numbers: np.ndarray, split: Split) -> list[Sample]:
    """Frames are numbered from 1, in the split as in the released code's file names."""
    return [Sample(f"{number:06d}", split, index=int(number) - 1) for number in numbers]


def read(raw: Path, spec: DatasetSpec, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rgb (468, 625, 3) u8, depth (468, 625) u16 in 1/5000 m, labels (468, 625) u8: 0 to 39, void 255)."""
    where = raw / LABELED
    with _open(raw) as file:
        rgb_CWH, metres_WH, labels_WH = (
            stored_dataset(file, name, where, complete=False)[sample.index]
            for name in ("images", _DEPTHS[spec.depth], "labels")
        )
    named = where / f"frame {sample.id}"
    depth_HW = metres_to_units(metres_WH.T, UNITS_PER_METRE, named)
    if (largest := int(labels_WH.max())) > RAW_CLASSES:
        raise UserError(
            f"frame {sample.id} has labels out of range", where=named, found=largest, expected=f"0 to {RAW_CLASSES}"
        )
    # 0 is unlabelled; 1 to 894 map to 1 to 40, and training counts from 0.
    semantic_HW = np.concatenate([[VOID], class_mapping(raw) - 1]).astype(np.uint8)[labels_WH.T]
    return crop(rgb_CWH.transpose(2, 1, 0)), crop(depth_HW), crop(semantic_HW)


def class_mapping(raw: Path) -> np.ndarray:
    """(894,) class of 40, counted from 1, for each class of the .mat."""
    mapping = _whole_numbers(_load(raw / MAPPING, ("mapClass",))["mapClass"], raw / MAPPING, "mapClass")
    if mapping.shape != (RAW_CLASSES,) or mapping.min() < 1 or mapping.max() > CLASSES:
        raise UserError(
            f"{MAPPING} has unexpected contents",
            where=raw / MAPPING,
            key="mapClass",
            found=f"{mapping.size} entries of {mapping.min(initial=0)} to {mapping.max(initial=0)}",
            expected=f"{RAW_CLASSES} entries of 1 to {CLASSES}",
        )
    return mapping


@contextmanager
def _open(raw: Path) -> Iterator[h5py.File]:
    """Open the labelled .mat; errors of HDF5, now or while reading, become a `UserError`."""
    path = raw / LABELED
    try:
        with open_hdf5(path) as file:
            yield file
    except _HDF5_ERRORS as error:
        if is_system_error(error):
            raise unreadable(path, error) from error
        raise UserError(
            f"{LABELED} cannot be read: truncated, or another file",
            where=path,
            found=f"{path.stat().st_size:,} bytes; {error}",
            expected="2,972,037,809 bytes, MATLAB v7.3",
            fix="download it again",
        ) from error


def _frames(file: h5py.File, path: Path, depths: str) -> int:
    """Number of frames, after a check that the arrays exist, with one length and the published shapes and types."""
    names = set(file)  # of links: none is followed
    shapes = {name: _SHAPES[name] for name in ("images", depths, "labels")}
    for name, shape in shapes.items():
        if name not in names:
            raise UserError(
                f"{LABELED} lacks {name}", where=path, key=name, found=", ".join(sorted(names)),
                expected=", ".join(shapes), fix="download it again",
            )  # fmt: skip
        found = stored_dataset(file, name, path).shape
        if found[1:] != shape or found[0] != file["images"].shape[0]:
            raise UserError(
                f"{name} has an unexpected shape", where=path, key=name, found=found,
                expected=f"(frames, {', '.join(map(str, shape))}), as h5py sees it: {WHOLE[1]} x {WHOLE[0]} images",
            )  # fmt: skip
    for name, types in (("images", ("uint8",)), ("labels", ("uint16",)), (depths, ("float32", "float64"))):
        if file[name].dtype not in types:
            raise UserError(
                f"{name} has an unexpected data type", where=path, key=name, found=file[name].dtype,
                expected=" or ".join(types),
            )  # fmt: skip
    frames: int = file["images"].shape[0]
    return frames


def _whole_numbers(array: Any, path: Path, name: str) -> np.ndarray:
    """(N,) int64 of a variable of any shape; `UserError` for text, cells, NaN, and numbers with a fraction."""
    numbers = np.asarray(array).ravel()
    if numbers.dtype.kind not in "iuf" or not (np.isfinite(numbers) & (numbers == np.rint(numbers))).all():
        raise UserError(
            f"{name} has unexpected contents", where=path, key=name, found=f"{numbers.dtype}: {numbers[:5]}",
            expected="whole numbers", fix="get it again",
        )  # fmt: skip
    return numbers.astype(np.int64)


def _load(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Variables of a small .mat (not HDF5)."""
    content = read_bytes(path, fix="see docs/datasets.md for where to get it")
    try:
        check_mat5(content, names, _MOST_BYTES)
        found: dict[str, Any] = loadmat(io.BytesIO(content), variable_names=list(names))
    except Exception as error:  # SciPy raises anything on a damaged file, ZeroDivisionError included
        raise UserError(
            f"{path.name} cannot be read: truncated, or another file",
            where=path, found=str(error), expected="a MATLAB v5 file", fix="get it again",
        ) from error  # fmt: skip
    if absent := [name for name in names if name not in found]:
        raise UserError(f"{path.name} lacks {', '.join(absent)}", where=path, expected=", ".join(names))
    return found
