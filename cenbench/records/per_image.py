"""Read the per-image scores of a finished cell. Torch-free; like all reading of records, it never raises."""

from __future__ import annotations

from dataclasses import dataclass

from cenbench.evaluate.per_image import FILE, PerImage, from_bytes
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
        return from_bytes(data)
    except ValueError as error:
        return NoScores(f"{record.folder / FILE} cannot be read: {error}")
