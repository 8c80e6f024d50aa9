"""Read the per-image scores of a finished cell. Torch-free; like all reading of records, it never raises."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cenbench.evaluate.per_image import FILE, PerImage, from_bytes
from cenbench.records.read import CellRecord


@dataclass(frozen=True)
class NoScores:
    """Why there are no per-image scores to read."""

    reason: str


def read_per_image(record: CellRecord) -> PerImage | NoScores:
    """The scores that belong to `record`, or why there are none: the cell has no numbers, or the file is damaged."""
    path = record.folder / FILE
    if not record.metrics:
        return NoScores(f"the cell has no numbers: {record.state}" + (f", {record.reason}" if record.reason else ""))
    files = record.document.get("files")
    expected = files.get(FILE) if isinstance(files, dict) else None
    if expected is None:
        return NoScores("the record is of a version that kept no per-image scores")
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != expected:
            return NoScores(f"{path} has changed since it was written")
        return from_bytes(data)
    except (OSError, ValueError) as error:
        return NoScores(f"{path} cannot be read: {error}")
