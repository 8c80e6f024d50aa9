"""Which numbers of a table are the best ones, along the axis that the table ranks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.report.value import Value, number_text

_Rivals = tuple[Hashable, str]
"""The numbers of one line of the table and of one metric compete."""


def best_numbers(layout: TableLayout, values: Sequence[tuple[Value, ...]]) -> dict[_Rivals, str | None]:
    """The best number as shown, along the axis that the table ranks, where at least two compete.

    `values` are those of each slot of the layout.
    """
    rivals: dict[_Rivals, list[float]] = {}
    for slot, own in zip(layout.slots, values, strict=True):
        for value in own:
            if value.ours is not None:
                rivals.setdefault((layout.line_of(slot), value.metric), []).append(value.ours)
    return {(line, metric): _best(metric, numbers) for (line, metric), numbers in rivals.items()}


def is_best(slot: Slot, value: Value, layout: TableLayout, best: Mapping[_Rivals, str | None]) -> bool:
    """Whether the value of this slot is the best one. Numbers that are shown alike are equal, and all best."""
    shown = best.get((layout.line_of(slot), value.metric))
    return shown is not None and value.ours is not None and number_text(value.metric, value.ours) == shown


def _best(metric: str, numbers: Sequence[float]) -> str | None:
    """The best of the numbers as shown; None for a single one, and for what has no best, such as a cost."""
    if len(numbers) < 2 or not metrics()[metric].is_ranked:
        return None
    return number_text(metric, max(numbers) if metrics()[metric].better == "higher" else min(numbers))
