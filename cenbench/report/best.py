"""Which numbers of a table are the best ones, along the axis that the table ranks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from cenbench.matrix.layout import TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.report.value import FilledSlot, Value, number_text


def with_best(entries: Sequence[FilledSlot], layout: TableLayout) -> list[FilledSlot]:
    """Mark the best numbers along the axis that the table ranks, where at least two compete; equal ones are all best.

    Numbers are equal if they are shown alike.
    """
    rivals: dict[tuple[Hashable, str], list[float]] = {}
    for entry in entries:
        for value in entry.values:
            if value.ours is not None:
                rivals.setdefault((_line(entry, layout), value.metric), []).append(value.ours)
    best = {(line, metric): _best(metric, numbers) for (line, metric), numbers in rivals.items()}
    return [
        replace(
            entry,
            values=tuple(
                replace(value, best=_is_best(value, best.get((_line(entry, layout), value.metric))))
                for value in entry.values
            ),
        )
        for entry in entries
    ]


def _line(entry: FilledSlot, layout: TableLayout) -> Hashable:
    """The slots that are ranked together have the same line."""
    return entry.row if layout.ranked == "columns" else (layout.rows[entry.row].group, entry.column)


def _best(metric: str, numbers: Sequence[float]) -> str | None:
    """The best of the numbers as shown; None for a single one, and for what has no best, such as a cost."""
    if len(numbers) < 2 or not metrics()[metric].is_ranked:
        return None
    return number_text(metric, max(numbers) if metrics()[metric].better == "higher" else min(numbers))


def _is_best(value: Value, best: str | None) -> bool:
    return best is not None and value.ours is not None and number_text(value.metric, value.ours) == best
