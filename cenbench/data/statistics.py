"""What the values of a prepared dataset are like: range, mean, missing share a modality; class shares a split."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from cenbench.data.prepared import Prepared

_SCENES_AT_ONCE = 8


@dataclass(frozen=True)
class ModalityStatistics:
    """Of all values of an array that are not missing, in stored units; class numbers have no mean."""

    name: str
    unit: str
    least: int | None
    """None where everything is missing, as `mean` and `most`."""
    mean: float | None
    most: int | None
    missing_share: float
    """Of all pixels."""


@dataclass(frozen=True)
class ClassShare:
    """How much of the labelled pixels of each split a class has; 0 where a split has no labelled pixel."""

    label: int
    name: str
    train: float
    val: float


def modality_statistics(
    prepared: Prepared, name: str, advance: Callable[[int], None] = lambda scenes: None
) -> ModalityStatistics:
    """Read one array once, a few scenes at a time; `advance` hears how many."""
    entry, array = prepared.manifest.modalities[name], prepared.array(name)
    total, present, least, most = 0, 0, [], []
    for start in range(0, len(array), _SCENES_AT_ONCE):
        part = np.asarray(array[start : start + _SCENES_AT_ONCE])
        values = part if entry.missing is None else part[part != entry.missing]
        if values.size:
            total += int(values.sum(dtype=np.int64))
            present += values.size
            least.append(int(values.min()))
            most.append(int(values.max()))
        advance(len(part))
    return ModalityStatistics(
        name=name,
        unit=entry.unit,
        least=min(least, default=None),
        mean=total / present if present and name != "semantic" else None,
        most=max(most, default=None),
        missing_share=1 - present / array.size,
    )


def class_shares(prepared: Prepared) -> list[ClassShare]:
    """Of every class, in the order of labels; empty where nothing is labelled."""
    if "semantic" not in prepared.manifest.modalities:
        return []
    shares = {split: labelled_shares(prepared, prepared.indices(split)) for split in ("train", "val")}
    return [
        ClassShare(label, name, float(shares["train"][label]), float(shares["val"][label]))
        for label, name in enumerate(prepared.classes)
    ]


def labelled_shares(prepared: Prepared, scenes: Iterable[int]) -> np.ndarray:
    """(K,) share of each class among the pixels of these scenes that are not void."""
    counts = np.zeros(256, np.int64)
    for index in scenes:
        counts += np.bincount(prepared.array("semantic")[index].ravel(), minlength=256)
    labelled = counts[: len(prepared.classes)]
    return labelled / max(1, labelled.sum())
