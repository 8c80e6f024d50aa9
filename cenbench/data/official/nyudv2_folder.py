"""NYUDv2 as the released code of CEN reads it: PNGs and two lists, prepared by the authors of RefineNet.

Source: paper.md#nyudv2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cenbench.data.official.adapter import Sample, Split, Unusable, read_excluded
from cenbench.data.official.images import check_labels, metres_to_units, read_image
from cenbench.data.official.nearness import check_farthest, check_unit
from cenbench.data.official.png import read_palette
from cenbench.data.reading import file_system_errors, is_data_file, read_lines
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec
from cenbench.regular_file import Unreadable, kind_of

LISTS: dict[Split, str] = {"train": "train.txt", "val": "val.txt"}
ROLES = ("rgb", "semantic", "depth")
"""Fields of a line, separated by tabs: colour, labels, depth."""
UNITS_PER_METRE = 5000.0
"""Of the depth as it is prepared, and as the released folder stores it."""
WHOLE, CROPPED = (480, 640), (468, 625)
_FIX = "copy it from semantic_segmentation/data/nyudv2 of the released code (github.com/yikaiw/CEN)"
TOP, LEFT = 6, 7
"""Colour and labels are cropped from the camera's 480 x 640: 6 rows above and below, 7 columns left, 8 right."""


def found_in(raw: Path) -> str | None:
    """The parts of this layout that the raw folder holds, in words; None if there are none."""
    there = [name for name in (*LISTS.values(), "rgb", "masks", "depth") if kind_of(raw / name)]
    return ", ".join(there) or None


def scan(raw: Path, spec: DatasetSpec) -> tuple[list[Sample], list[Sample], tuple[str, ...]]:
    """(training samples, validation samples, names of the lists), after a check that every listed file exists and
    that each line names one frame, as in the released lists.
    """
    if spec.depth == "raw":
        raise UserError(
            "this folder holds one depth, and does not state whether its holes are filled", where=raw,
            key="dataset.depth", found="raw", fix="leave it out; or use nyu_depth_v2_labeled.mat, which holds both",
        )  # fmt: skip
    samples: dict[Split, list[Sample]] = {}
    mixed, unusable, excluded = Unusable(), Unusable(), read_excluded(raw)
    for split, name in LISTS.items():
        samples[split] = [_sample(raw, split, number, line) for number, line in read_lines(raw / name, fix=_FIX)]
        for sample in samples[split]:
            if sample.id in excluded:
                continue
            if {Path(path).stem for path in sample.files.values()} != {sample.id}:
                mixed.add(f"{name}, {sample.id}", ", ".join(sample.files.values()))
            absent = [path for path in sample.files.values() if not _is_file(raw / path, f"{name}, {sample.id}")]
            if absent:
                unusable.add(f"{name}, {sample.id}", f"no {', no '.join(absent)}")
    mixed.refuse(raw, "lines of the lists name files of different frames", _FIX)
    unusable.refuse(raw, "the lists name files that are missing", "get the rest of the folder, or fix the lists")
    _check_palettes(
        raw, [sample.files["semantic"] for half in samples.values() for sample in half if sample.id not in excluded]
    )
    if spec.depth_units_per_metre is None:
        depths = [sample.files["depth"] for half in samples.values() for sample in half if sample.id not in excluded]
        check_unit(
            raw, depths, lambda name: _depth(raw / name), UNITS_PER_METRE,
            fix="state the unit in the preset, for millimetres dataset: {depth_units_per_metre: 1000}; if the scenes "
            f"really are that near, dataset: {{depth_units_per_metre: {UNITS_PER_METRE:g}}}",
        )  # fmt: skip
    return samples["train"], samples["val"], tuple(LISTS.values())


def read(raw: Path, spec: DatasetSpec, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rgb (468, 625, 3) u8, depth (468, 625) u16 in 1/5000 m, labels (468, 625) u8: 0 to 39, void 255)."""
    rgb_HWC = read_image(raw / sample.files["rgb"], channels=3, size=CROPPED)
    labels = raw / sample.files["semantic"]
    semantic_HW = read_image(labels, channels=1, size=CROPPED, palette_indices=True)
    check_labels(semantic_HW, 40, 255, labels)
    depth_HW = _depth(raw / sample.files["depth"])
    if spec.depth_units_per_metre is not None:
        metres_HW = depth_HW / spec.depth_units_per_metre
        depth_HW = metres_to_units(metres_HW, UNITS_PER_METRE, raw / sample.files["depth"])
    check_farthest(depth_HW, UNITS_PER_METRE, raw / sample.files["depth"])
    return rgb_HWC, crop(depth_HW), semantic_HW


def _is_file(path: Path, named_by: str) -> bool:
    """Whether there is such a file; `Unreadable`, with the line that names it, where the file system does not tell."""
    try:
        return is_data_file(path)
    except Unreadable as error:
        raise Unreadable(error.problem, where=path, key=named_by, found=error.found, fix=error.fix) from error


def _depth(path: Path) -> np.ndarray:
    """(480, 640) u16 as stored."""
    return read_image(path, channels=1, bits=16, size=WHOLE)


def _check_palettes(raw: Path, masks: list[str]) -> None:
    """Refuse coloured palettes that differ: labels are indices, which an optimiser renumbers in every image.

    Palettes of grays are left out: their grays are the labels, however they are numbered.
    """
    coloured: dict[str, bytes] = {}
    for name in masks:
        with file_system_errors(raw / name), (raw / name).open("rb") as file:
            colours = read_palette(file)
        if colours and not colours[0::3] == colours[1::3] == colours[2::3]:
            coloured[name] = colours
    whole = max(coloured.values(), key=len, default=b"")
    others = [name for name, colours in coloured.items() if not whole.startswith(colours)]
    if others:
        raise UserError(
            f"{len(others)} of {len(coloured)} masks have another palette than the rest",
            where=raw,
            found=", ".join(others[:20]),
            expected="one palette, whose indices are the labels",
            fix="get the masks again as published: a PNG optimiser renumbered them, and their labels cannot be known",
        )


def crop(image: np.ndarray) -> np.ndarray:
    """(480, 640[, C]) -> (468, 625[, C]): remove the white border of the colour image."""
    return image[TOP : TOP + CROPPED[0], LEFT : LEFT + CROPPED[1]]


def _sample(raw: Path, split: Split, number: int, line: str) -> Sample:
    paths = line.split("\t")
    inside = all(path and not path.startswith("/") and ".." not in path.split("/") for path in paths)
    if len(paths) != len(ROLES) or not inside:
        raise UserError(
            "a line of a list has an unexpected format",
            where=raw / LISTS[split],
            key=f"line {number}",
            found=line,
            expected="rgb, mask and depth, separated by tabs, below the folder",
        )
    return Sample(Path(paths[0]).stem, split, dict(zip(ROLES, paths, strict=True)))
