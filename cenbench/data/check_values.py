"""What `cenbench data verify` reads besides checksums: values against their range, holes, class counts.

Scenes are read one after another, so memory does not grow with the dataset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cenbench.data.manifest import ModalityEntry
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError

LABELS = "semantic"


@dataclass(frozen=True)
class ClassCount:
    """How many pixels of a dataset a class has. `share` is of the labelled pixels."""

    label: int
    name: str
    pixels: int
    share: float


@dataclass(frozen=True)
class Values:
    """What was counted over a whole dataset."""

    missing: dict[str, float]
    """Modality -> share of its pixels that were not measured; only modalities that have such a value."""
    classes: tuple[ClassCount, ...]
    """One a class, in the order of labels; empty for a dataset without labels."""
    void_pixels: int
    void_share: float
    """Share of all pixels that count for nothing."""


def check_values(prepared: Prepared, advance: Callable[[int], None] = lambda scenes: None) -> Values:
    """Read every value of every modality once. `advance` is told the scenes (of one modality) just read.

    Raises `UserError` naming modality, scene and value for a value outside the manifest's range.
    """
    missing = {}
    histogram = np.zeros(256, np.int64)
    for name, entry in prepared.manifest.modalities.items():
        array, holes = prepared.array(name), 0
        for scene in range(len(array)):
            stored = np.asarray(array[scene])
            holes += _check(prepared, name, entry, scene, stored)
            if name == LABELS:
                histogram += np.bincount(stored.ravel(), minlength=256)
            advance(1)
        if entry.missing is not None and name != LABELS:
            missing[name] = holes / array.size
    return _values(prepared, missing, histogram)


def _check(prepared: Prepared, name: str, entry: ModalityEntry, scene: int, stored: np.ndarray) -> int:
    """Refuse values out of range; how many say 'not measured'."""
    low, high = entry.range
    missing = prepared.void if name == LABELS else entry.missing
    hole = np.zeros(stored.shape, bool) if missing is None else stored == missing
    wrong = ~hole & ((stored < low) | (stored > high))
    if wrong.any():
        place = tuple(int(each) for each in np.argwhere(wrong)[0])
        word = "void" if name == LABELS else "missing"
        allowed = f"{low} to {high}" + ("" if missing is None else f", or {missing} ({word})")
        raise UserError(
            f"{int(wrong.sum())} values of {name} are out of range in scene {scene} ({prepared.scene_name(scene)})",
            where=prepared.folder / entry.file,
            key=f"row {place[0]}, column {place[1]}",
            found=int(stored[place]),
            expected=allowed,
            fix=f"delete {prepared.folder} and prepare the dataset again",
        )
    return int(hole.sum())


def _values(prepared: Prepared, missing: dict[str, float], histogram: np.ndarray) -> Values:
    void, total = int(histogram[prepared.void]), int(histogram.sum())
    labelled = total - void
    classes = tuple(
        ClassCount(label, name, int(histogram[label]), int(histogram[label]) / labelled if labelled else 0.0)
        for label, name in enumerate(prepared.classes if total else ())
    )
    return Values(missing, classes, void, void / total if total else 0.0)
