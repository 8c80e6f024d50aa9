"""IoU per class of the slots of a segmentation table: which classes a mean IoU is made of."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cenbench.matrix.layout import TableLayout
from cenbench.records.read import CellRecord


@dataclass(frozen=True)
class PerClassRow:
    """One slot: where it stands, and class -> IoU in percent, the mean over all declared seeds."""

    row: str
    column: str
    iou_pct: Mapping[str, float | None]
    """None for a class that is neither labelled nor predicted in any seed."""


def per_class_rows(layout: TableLayout, records: Mapping[str, CellRecord]) -> tuple[PerClassRow, ...]:
    """The slots whose cells are all ok and hold IoU per class, each network and output once."""
    found: dict[tuple[tuple[str, ...], str], PerClassRow] = {}
    for slot in layout.slots:
        cells = [records[cell.id] for cell in slot.cells]
        scores = [record.document.get("per_class_iou_pct", {}).get(slot.stream) for record in cells]
        if any(record.state != "ok" for record in cells) or not all(scores):
            continue
        classes = dict.fromkeys(name for values in scores for name in values)
        means = {label: _mean(values.get(label) for values in scores) for label in classes}
        key = (tuple(cell.id for cell in slot.cells), slot.stream)
        found.setdefault(key, PerClassRow(layout.rows[slot.row].name, layout.columns[slot.column].label, means))
    return tuple(found.values())


def class_names(rows: Iterable[PerClassRow]) -> tuple[str, ...]:
    """Every class, in the dataset's order."""
    return tuple(dict.fromkeys(name for row in rows for name in row.iou_pct))


def class_text(row: PerClassRow, name: str) -> str:
    """The IoU as printed; empty for a class without one."""
    value = row.iou_pct.get(name)
    return "" if value is None else f"{value:.1f}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
