"""Tables of SUNRGBDtoolbox: which images exist, their split, and their labels (paper.md#sun-rgb-d).

The metadata is a MATLAB v5 file; the labels are HDF5 (MATLAB v7.3) with reversed axes. The label file does not fit into
memory (MATLAB needs 64 GB), so each label is read by its own reference.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import scipy.io

from cenbench.data.manifest import VOID
from cenbench.data.official.adapter import Unusable
from cenbench.data.official.hdf5 import check_stored, open_hdf5, stored_dataset
from cenbench.data.official.mat5 import check_mat5
from cenbench.data.reading import read_bytes
from cenbench.errors import UserError
from cenbench.regular_file import is_system_error, unreadable

CLASSES = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor_mat", "clothes", "ceiling", "books",
    "fridge", "tv", "paper", "towel", "shower_curtain", "box", "whiteboard", "person", "night_stand", "toilet", "sink",
    "lamp", "bathtub", "bag",
)  # fmt: skip
"""Names and order of seg37list.mat: stored label 1 is the first."""
_MOST_PIXELS = 2**24
"""More than any image here has; a compressed label could otherwise fill the memory."""
_MOST_BYTES = 2**30
"""Memory for a variable of the metadata: more than its ten thousand frames need with all their boxes."""
_AUTHORS_ROOT = PurePosixPath("/n/fs/sun3d/data")
_HDF5_ERRORS = (OSError, KeyError, RuntimeError, ValueError, AttributeError, TypeError)


@dataclass(frozen=True)
class Frame:
    """One image of SUNRGBDMeta.mat. Paths are relative to the root of SUNRGBD.zip."""

    number: int
    """Position in SUNRGBDMeta.mat and SUNRGBD2Dseg.mat, from 1."""
    folder: str
    """E.g. `SUNRGBD/kv1/NYUdata/NYU0001`."""
    rgb: str
    depth: str
    """Raw depth of the sensor; the filled depth has the same name under `depth_bfx/`."""

    @property
    def filled_depth(self) -> str:
        return f"{self.folder}/depth_bfx/{PurePosixPath(self.depth).name}"


def read_frames(meta: Path) -> list[Frame]:
    """Every frame of SUNRGBDMeta.mat, in its order. `UserError` for two frames of one folder, and for a frame whose
    depth is not in the folder of its image.
    """
    found = _load(meta, "SUNRGBDMeta")
    frames = []
    wrong, number_of = Unusable(), dict[str, int]()
    for number, entry in enumerate(np.atleast_1d(found), start=1):
        try:
            rgb, depth = official_path(entry.rgbpath), official_path(entry.depthpath)
        except (AttributeError, ValueError) as error:
            raise _wrong(meta, f"SUNRGBDMeta({number})", error, "a struct with rgbpath and depthpath") from error
        frame = Frame(number, str(PurePosixPath(rgb).parent.parent), rgb, depth)
        if not PurePosixPath(depth).is_relative_to(frame.folder):
            wrong.add(f"SUNRGBDMeta({number})", f"its image is {rgb}, its depth {depth}")
        if (first := number_of.setdefault(frame.folder, number)) != number:
            wrong.add(f"SUNRGBDMeta({number})", f"{frame.folder} is the folder of SUNRGBDMeta({first}) too")
        frames.append(frame)
    wrong.refuse(
        meta, "frames do not have a folder of their own", "unpack it from the official SUNRGBDtoolbox.zip again"
    )
    return frames


def read_split(allsplit: Path) -> tuple[list[str], list[str]]:
    """Folders of the training and of the test images, in the order of allsplit.mat."""
    lists = []
    for name in ("alltrain", "alltest"):
        try:
            lists.append([official_path(path) for path in np.atleast_1d(_load(allsplit, name))])
        except ValueError as error:
            raise _wrong(allsplit, name, error, f"paths that start with {_AUTHORS_ROOT}/") from error
    return lists[0], lists[1]


def official_path(text: object) -> str:
    """A path on the authors' machine -> the path inside SUNRGBD.zip, `SUNRGBD/...`. ValueError for any other path."""
    path = PurePosixPath(str(text).strip()).relative_to(_AUTHORS_ROOT)
    if ".." in path.parts:
        raise ValueError(f"{text} leads elsewhere")
    return str(path)


class Labels:
    """Labels of SUNRGBD2Dseg.mat, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = open_hdf5(path)
            self._references: Any = stored_dataset(self._file, "SUNRGBD2Dseg/seglabel", path)
        except _HDF5_ERRORS as error:
            if is_system_error(error):
                raise unreadable(path, error) from error
            raise _wrong(path, "SUNRGBD2Dseg/seglabel", error, "a complete HDF5 file (MATLAB v7.3)") from error

    def close(self) -> None:
        self._file.close()

    def read(self, number: int) -> np.ndarray:
        """u8 (H, W): classes 0 to 36, void 255. `number` counts from 1. `UserError` for a stored label over 37."""
        key = f"SUNRGBD2Dseg({number}).seglabel"
        try:
            # Only one reference is read. The list is (N, 1) or (1, N): a column or a row in MATLAB.
            place = np.unravel_index(number - 1, self._references.shape)
            label = check_stored(self._file[self._references[place]], key, self._path)
            if label.size > _MOST_PIXELS:
                raise _wrong(self._path, key, f"{label.size:,} pixels", f"at most {_MOST_PIXELS:,}")
            if label.dtype.kind not in "uif":
                raise _wrong(self._path, key, f"values of type {label.dtype}", "numbers")
            stored_WH = label[()]
        except _HDF5_ERRORS as error:
            if is_system_error(error):
                raise unreadable(self._path, error) from error
            raise _wrong(self._path, key, error, "a complete label image") from error
        return to_training_labels(stored_WH.T, self._path, key)


def to_training_labels(stored_HW: np.ndarray, where: Path, key: str | None = None) -> np.ndarray:
    """Stored 0 (void), 1 to 37 -> u8 255, 0 to 36. Raises `UserError` naming a value out of range."""
    if stored_HW.ndim != 2:
        raise _wrong(where, key, f"shape {stored_HW.shape}", "height x width")
    wrong = np.unique(stored_HW[~np.isin(stored_HW, np.arange(len(CLASSES) + 1))])
    if wrong.size:
        raise _wrong(where, key, f"labels {', '.join(map(str, wrong[:5]))}", f"0 (void) to {len(CLASSES)}")
    return np.where(stored_HW == 0, VOID, stored_HW.astype(np.int16) - 1).astype(np.uint8)


def _load(path: Path, variable: str) -> Any:
    """One variable of a MATLAB v5 file."""
    content = read_bytes(path, fix="unpack SUNRGBDtoolbox.zip")
    try:
        check_mat5(content, [variable], _MOST_BYTES)
        return scipy.io.loadmat(
            io.BytesIO(content), variable_names=[variable], squeeze_me=True, struct_as_record=False
        )[variable]
    except Exception as error:  # SciPy raises anything on a damaged file, ZeroDivisionError included
        raise _wrong(path, variable, error, "a complete MATLAB v5 file with this variable") from error


def _wrong(path: Path, key: str | None, found: object, expected: str) -> UserError:
    return UserError(
        f"{path.name} is damaged, truncated or another file",
        where=path,
        key=key,
        found=str(found) or type(found).__name__,
        expected=expected,
        fix="unpack it from the official SUNRGBDtoolbox.zip again",
    )


def split_of(frames: Sequence[Frame], allsplit: Path) -> tuple[list[Frame], list[Frame]]:
    """Training and test frames, in the order of SUNRGBDMeta.mat. `UserError` names every folder without a frame."""
    by_folder = {frame.folder: frame for frame in frames}
    lists = read_split(allsplit)
    absent = [folder for folders in lists for folder in folders if folder not in by_folder]
    if absent:
        raise UserError(
            f"the split names {len(absent)} images that SUNRGBDMeta.mat does not have",
            where=allsplit,
            found="\n    ".join(absent),
            expected="the two files of one toolbox",
        )
    train, test = (
        sorted((by_folder[folder] for folder in folders), key=lambda frame: frame.number) for folders in lists
    )
    return train, test
