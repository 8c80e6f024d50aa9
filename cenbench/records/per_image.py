"""Read the per-image scores of a finished cell. Torch-free; like all reading of records, it never raises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cenbench.evaluate.per_image import FILE, ImageConfusion, PerImage, from_bytes
from cenbench.records.read import CellRecord


@dataclass(frozen=True)
class NoScores:
    """Why there are no per-image scores to read."""

    reason: str


def read_per_image(record: CellRecord) -> PerImage | NoScores:
    """The scores that belong to `record`, or why there are none: the cell has no numbers, or the file is damaged."""
    if not record.metrics:
        return NoScores(f"the cell has no numbers: {record.state}" + (f", {record.reason}" if record.reason else ""))
    if FILE not in record.files:
        return NoScores("the record is of a version that kept no per-image scores")
    data = record.read_file(FILE)
    if data is None:
        return NoScores(f"{record.folder / FILE} cannot be read, or has changed since it was written")
    try:
        scores = from_bytes(data)
    except ValueError as error:
        return NoScores(f"{record.folder / FILE} cannot be read: {error}")
    if any(counts.classes < 1 for counts in scores.confusion.values()):
        return NoScores(f"{record.folder / FILE} cannot be read: confusion counts of no class")
    return scores


def dense_counts(confusion: ImageConfusion) -> np.ndarray:
    """int64 (N, K, K) counts `[image, ground truth, prediction]`."""
    counts_NKK = np.zeros((confusion.images, confusion.classes, confusion.classes), np.int64)
    image = np.repeat(np.arange(confusion.images), np.diff(confusion.offsets))
    np.add.at(counts_NKK, (image, confusion.truth, confusion.prediction), confusion.pixels)
    return counts_NKK
