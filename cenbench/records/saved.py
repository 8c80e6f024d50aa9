"""Records as they are stored, for comparing two places: whatever code, data and weights they were made with.

`read_record` asks whether a record is up to date here. A comparison of two revisions, sites or archives must not, since
a difference of code is what it looks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.evaluate.per_image import FILE as PER_IMAGE
from cenbench.evaluate.per_image import PerImage, from_bytes
from cenbench.files import sha256_bytes
from cenbench.matrix.cell import Cell
from cenbench.metrics.inputs.network import network_costs
from cenbench.paths import Paths
from cenbench.records.document import SAMPLES
from cenbench.records.verify import LARGEST_BYTES, Published, read_published
from cenbench.regular_file import read_regular


@dataclass(frozen=True)
class SavedRecord:
    """A finished record: its numbers, the code and data behind it, and where it was made."""

    metrics: Mapping[str, Mapping[str, float]]
    """stream -> metric -> number, costs of the network included."""
    per_class_iou_pct: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    stand_in: Mapping[str, str] = field(default_factory=dict)
    """Metric -> what replaced the paper's instrument."""
    digests: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """Name of each file beside it -> SHA-256 (hex)."""

    def read_file(self, name: str) -> bytes | None:
        """A file of the record as it was published; None for any other, and for one that has changed since."""
        if self.folder is None or name not in self.files:
            return None
        try:
            data = read_regular(self.folder / name, LARGEST_BYTES)
        except UserError:
            return None
        return data if sha256_bytes(data) == self.files[name] else None

    @property
    def samples(self) -> list[str]:
        """Names of the sample pictures: those of the first test images, in order."""
        return sorted(name for name in self.files if name.startswith(f"{SAMPLES}/"))

    @property
    def per_image_sha256(self) -> str | None:
        """SHA-256 of the per-image scores: equal for equal scores."""
        return self.files.get(PER_IMAGE)

    def per_image(self) -> PerImage | None:
        """The per-image scores; None if they cannot be read."""
        data = self.read_file(PER_IMAGE)
        try:
            return None if data is None else from_bytes(data)
        except ValueError:
            return None


def read_saved(paths: Paths, cell: Cell) -> SavedRecord | None:
    """The record, if it is finished and of this version's format; None otherwise. `UserError` for a damaged one."""
    found = read_published(paths, cell)
    if not isinstance(found, Published) or found.document["state"] != "ok":
        return None
    document = found.document
    costs = network_costs(document.get("parameters", {}))
    metrics = {stream: {**values, **costs} for stream, values in document["metrics"].items()}
    classes, stand_in = document.get("per_class_iou_pct", {}), document.get("stand_in", {})
    return SavedRecord(
        metrics,
        classes,
        stand_in,
        document["digests"],
        found.provenance,
        paths.cell(cell),
        document["files"],
    )
