"""Records as they are stored, for comparing two places: whatever code, data and weights they were made with.

`read_record` asks whether a record is up to date here. A comparison of two revisions, sites or archives must not, since
a difference of code is what it looks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.metrics.inputs.network import network_costs
from cenbench.paths import Paths
from cenbench.records.verify import Published, read_published


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


def read_saved(paths: Paths, cell: Cell) -> SavedRecord | None:
    """The record, if it is finished, intact and of this version's format; None otherwise."""
    try:
        found = read_published(paths, cell)
    except UserError:
        return None
    if not isinstance(found, Published) or found.document["state"] != "ok":
        return None
    document = found.document
    costs = network_costs(document.get("parameters", {}))
    metrics = {stream: {**values, **costs} for stream, values in document["metrics"].items()}
    classes, stand_in = document.get("per_class_iou_pct", {}), document.get("stand_in", {})
    return SavedRecord(metrics, classes, stand_in, document["digests"], found.provenance)
