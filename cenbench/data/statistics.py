"""Read every value of a prepared dataset once: range, mean and missing share per modality, pixels per class.

Scenes are read one at a time, so memory does not grow with the dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from cenbench.data.manifest import ModalityEntry
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError

LABELS = "semantic"
_LABEL_VALUES = 256


@dataclass(frozen=True)
class ModalityStatistics:
    """Values of one array in stored units, missing values (void for labels) left out."""

    name: str
    unit: str
    minimum: int | None
    """None, as `mean` and `maximum`, if every value is missing."""
    mean: float | None
    """None for labels too: the mean of class numbers has no meaning."""
    maximum: int | None
    missing_share: float | None
    """Share of all values; None for a modality that has no value for 'missing'."""


@dataclass(frozen=True)
class PixelCount:
    """Pixels of one class, and their share of the labelled pixels (0 if there are none)."""

    pixels: int
    share: float


@dataclass(frozen=True)
class ClassStatistics:
    """How often a class occurs in each split and in the whole dataset."""

    label: int
    name: str
    train: PixelCount
    val: PixelCount
    total: PixelCount


@dataclass(frozen=True)
class Statistics:
    """Everything that one pass over a dataset yields."""

    modalities: tuple[ModalityStatistics, ...]
    """In the order of the manifest."""
    classes: tuple[ClassStatistics, ...]
    """In the order of labels; empty for a dataset without labels."""
    void: PixelCount
    """Pixels of the whole dataset without a label; the share is that of all pixels."""


def read_statistics(prepared: Prepared, advance: Callable[[int], None] = lambda images: None) -> Statistics:
    """Read every value of every modality once; `advance` is called with the number of images just read.

    Raises `UserError` naming modality, scene, pixel and value for a value outside the range that the manifest declares.
    """
    modalities = []
    label_pixels = {split: np.zeros(_LABEL_VALUES, np.int64) for split in prepared.manifest.splits}
    for name, entry in prepared.manifest.modalities.items():
        array, values = prepared.array(name), _Values()
        missing = prepared.void if name == LABELS else entry.missing
        for split, (start, stop) in prepared.manifest.splits.items():
            for scene in range(start, stop):
                stored = np.asarray(array[scene])
                present = stored if missing is None else stored[stored != missing]
                values.add(present)
                if present.size and not entry.range[0] <= present.min() <= present.max() <= entry.range[1]:
                    raise _out_of_range(prepared, name, entry, scene, missing)
                if name == LABELS:
                    label_pixels[split] += np.bincount(stored.ravel(), minlength=_LABEL_VALUES)
                advance(1)
        modalities.append(
            ModalityStatistics(
                name=name,
                unit=entry.unit,
                minimum=values.minimum,
                mean=None if name == LABELS else values.mean,
                maximum=values.maximum,
                missing_share=None if missing is None else 1 - values.count / array.size,
            )
        )
    classes, void = _classes(prepared, {str(split): pixels for split, pixels in label_pixels.items()})
    return Statistics(tuple(modalities), classes, void)


def label_shares(prepared: Prepared, scenes: Iterable[int]) -> np.ndarray:
    """(K,) share of each class among the labelled pixels of these scenes; zeros if there are none."""
    pixels = np.zeros(_LABEL_VALUES, np.int64)
    for scene in scenes:
        pixels += np.bincount(prepared.array(LABELS)[scene].ravel(), minlength=_LABEL_VALUES)
    labelled = pixels[: len(prepared.classes)]
    shares: np.ndarray = labelled / max(1, labelled.sum())
    return shares


class _Values:
    """Running minimum, maximum, sum and count of an array that is read in pieces."""

    def __init__(self) -> None:
        self.minimum: int | None = None
        self.maximum: int | None = None
        self.count = 0
        self._sum = 0

    def add(self, values: np.ndarray) -> None:
        if not values.size:
            return
        low, high = int(values.min()), int(values.max())
        self.minimum = low if self.minimum is None else min(low, self.minimum)
        self.maximum = high if self.maximum is None else max(high, self.maximum)
        self.count += values.size
        self._sum += int(values.sum(dtype=np.int64))

    @property
    def mean(self) -> float | None:
        return self._sum / self.count if self.count else None


def _out_of_range(prepared: Prepared, name: str, entry: ModalityEntry, scene: int, missing: int | None) -> UserError:
    """The error for the first pixel of a scene whose value is not allowed."""
    low, high = entry.range
    stored = np.asarray(prepared.array(name)[scene])
    wrong = (stored < low) | (stored > high)
    if missing is not None:
        wrong &= stored != missing
    row, column, *channel = (int(place) for place in np.argwhere(wrong)[0])
    marker = "" if missing is None else f", or {missing} ({'void' if name == LABELS else 'missing'})"
    return UserError(
        f"{int(wrong.sum())} values of {name} are out of range in scene {scene} ({prepared.scene_name(scene)})",
        where=prepared.folder / entry.file,
        key=f"row {row}, column {column}",
        found=int(stored[(row, column, *channel)]),
        expected=f"{low} to {high}{marker}",
        fix=f"delete {prepared.folder} and prepare the dataset again",
    )


def _classes(prepared: Prepared, label_pixels: dict[str, np.ndarray]) -> tuple[tuple[ClassStatistics, ...], PixelCount]:
    """Statistics per class, and void, from the (256,) pixels per label of each split."""
    train, val = label_pixels["train"], label_pixels["val"]
    total: np.ndarray = np.sum(list(label_pixels.values()), axis=0)
    pixels, void = int(total.sum()), int(total[prepared.void])
    if LABELS not in prepared.manifest.modalities:
        return (), PixelCount(0, 0.0)

    def count(of: np.ndarray, label: int) -> PixelCount:
        labelled = int(of.sum() - of[prepared.void])
        return PixelCount(int(of[label]), int(of[label]) / labelled if labelled else 0.0)

    classes = tuple(
        ClassStatistics(label, name, count(train, label), count(val, label), count(total, label))
        for label, name in enumerate(prepared.classes)
    )
    return classes, PixelCount(void, void / pixels if pixels else 0.0)
