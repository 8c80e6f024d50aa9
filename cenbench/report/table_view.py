"""A table as its page shows it: columns of one metric each, bars, and what is left out because nothing is in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cenbench.matrix.metrics import metrics
from cenbench.report.table import Table
from cenbench.report.value import FilledSlot, Value

JUDGED = ("reproduced", "off", "inconclusive")


@dataclass(frozen=True)
class MetricColumn:
    """One metric of one column of the table; `paper` and `judged` tell which of its parts are shown."""

    column: int
    metric: str
    paper: bool
    judged: bool

    @property
    def parts(self) -> int:
        """How many cells it takes in each row."""
        return 1 + self.paper + self.judged


@dataclass(frozen=True)
class ShownNumber:
    """One metric of one slot, with the length of its bar."""

    slot: FilledSlot
    value: Value
    bar_pct: float | None
    """Length between the smallest and the largest number of the column; None where no number counts."""
    first: bool
    """Whether it is the first metric of its slot, which also shows the slot's state."""


def metric_columns(table: Table) -> list[MetricColumn]:
    """In the table's order. The paper's numbers and verdicts are left out where a column has none."""
    found = []
    for number, column in enumerate(table.layout.columns):
        for metric in column.metrics:
            values = [value for _, value in _values(table, number, metric)]
            paper = any(value.paper is not None for value in values)
            found.append(MetricColumn(number, metric, paper, any(value.verdict.word in JUDGED for value in values)))
    return found


def shown_numbers(table: Table, columns: Sequence[MetricColumn]) -> dict[tuple[int, int], ShownNumber]:
    """Row and place in `columns` -> what is shown there."""
    found = {}
    for place, column in enumerate(columns):
        values = _values(table, column.column, column.metric)
        known = [value.ours for _, value in values if value.ours is not None and math.isfinite(value.ours)]
        low, high = (min(known), max(known)) if known else (0.0, 0.0)
        base = min(0.0, low) if metrics()[column.metric].better == "higher" else 0.0
        for slot, value in values:
            bar = None
            if value.ours is not None and high > base:
                bar = round(100 * (value.ours - base) / (high - base), 1)
            first = table.layout.columns[column.column].metrics[0] == column.metric
            found[slot.row, place] = ShownNumber(slot, value, bar, first)
    return found


def _values(table: Table, column: int, metric: str) -> list[tuple[FilledSlot, Value]]:
    slots = (table.entry(row, column) for row in range(len(table.layout.rows)))
    return [(slot, value) for slot in slots if slot is not None for value in slot.values if value.metric == metric]
