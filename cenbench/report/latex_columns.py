"""The columns of a table in LaTeX: which numbers each shows, how they are written, and how wide they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from cenbench.matrix.metrics import metrics
from cenbench.report.latex_text import tex
from cenbench.report.latex_width import widest_pt
from cenbench.report.table import Table
from cenbench.report.value import PLUS_MINUS, FilledSlot, Value, number_text

Form = Literal["both", "ours", "spread"]
"""Paper's number and ours side by side, ours only, or ours with the standard deviation over seeds."""
_HEADS = {"params_m": "Param. (M)", "fusion_params_m": "Fusion (M)"}


@dataclass(frozen=True)
class NumberColumn:
    """One column of numbers; `column` is the column of the table that it belongs to."""

    column: int
    metric: str
    side: Literal["paper", "ours"]
    texts: tuple[str, ...]
    """What stands in each row as plain text, empty where nothing does; for widths."""
    cells: tuple[str, ...]
    """The same in LaTeX."""
    format: str
    """siunitx's `table-format`."""

    @property
    def heading(self) -> str:
        """Title of the metric, without what the note below the table states."""
        return _HEADS.get(self.metric) or metrics()[self.metric].title

    def width_pt(self, size: str) -> float:
        """Width of its numbers, which may be bold, without the space around them."""
        return widest_pt(self.texts, size, bold=True)


def number_columns(table: Table, form: Form) -> list[NumberColumn]:
    """In the table's order. A column of the paper's numbers is left out where the paper has none."""
    sides: tuple[Literal["paper", "ours"], ...] = ("paper", "ours") if form == "both" else ("ours",)
    found = []
    for number, column in enumerate(table.layout.columns):
        for metric in column.metrics:
            slots = [table.entry(row, number) for row in range(len(table.layout.rows))]
            values = [_value(slot, metric) for slot in slots]
            for side in sides:
                if side == "ours" or any(value and value.paper is not None for value in values):
                    found.append(_column(number, metric, side, form, slots, values))
    return found


_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def by_column(columns: Sequence[NumberColumn]) -> list[list[NumberColumn]]:
    """The number columns of each column of the table."""
    return [list(group) for _, group in groupby(columns, key=lambda one: one.column)]


def head_lines(table: Table, columns: Sequence[NumberColumn]) -> list[list[tuple[str, list[NumberColumn]]]]:
    """The lines of the head: texts, each with its columns. Metrics, and paper and ours, only if they differ."""
    lines = [[(table.layout.columns[group[0].column].head, group) for group in by_column(columns)]]
    if any(len({one.metric for one in group}) > 1 for group in by_column(columns)):
        lines.append([(group[0].heading, group) for group in by_metric(columns)])
    if len({one.side for one in columns}) > 1:
        lines.append([(one.side, [one]) for one in columns])
    return lines


def by_metric(columns: Sequence[NumberColumn]) -> list[list[NumberColumn]]:
    """The number columns of each metric of each column of the table."""
    return [list(group) for _, group in groupby(columns, key=lambda one: (one.column, one.metric))]


def _value(slot: FilledSlot | None, metric: str) -> Value | None:
    return None if slot is None else next(value for value in slot.values if value.metric == metric)


def _column(
    number: int, metric: str, side: Literal["paper", "ours"], form: Form,
    slots: Sequence[FilledSlot | None], values: Sequence[Value | None],
) -> NumberColumn:  # fmt: skip
    if side == "paper":
        texts = [value.paper_text if value else "" for value in values]
        cells = [_plain(text) for text in texts]
    else:
        spread = form == "spread"
        texts = [_ours(slot, value, spread=spread) for slot, value in zip(slots, values, strict=True)]
        cells = [_written(text, value) for text, value in zip(texts, values, strict=True)]
    return NumberColumn(number, metric, side, tuple(texts), tuple(cells), _format(metric, texts))


def _ours(slot: FilledSlot | None, value: Value | None, *, spread: bool) -> str:
    """Our mean; without one, the state, or how many of the seeds count."""
    if slot is None or value is None:
        return ""
    if value.ours is None:
        return slot.state if not value.seeds else f"{value.seeds} of {value.declared}"
    text = number_text(value.metric, value.ours)
    if not spread or value.spread is None:
        return text
    return f"{text} {PLUS_MINUS} {number_text(value.metric, value.spread)}"


def _written(text: str, value: Value | None) -> str:
    """A number for a column of siunitx, bold where it is the best; any other text in braces, in italics."""
    if not text or value is None:
        return ""
    if value.ours is None:
        return rf"{{\emph{{{tex(text)}}}}}"
    return (r"\bfseries " if value.best else "") + _plain(text)


def _plain(text: str) -> str:
    return text.replace(PLUS_MINUS, r"\pm").replace("\N{MINUS SIGN}", "-")


def _format(metric: str, texts: Sequence[str]) -> str:
    """Places before and after the decimal point, and digits of the standard deviation in parentheses.

    What is not a number (`2 of 3`, `failed`) stands in braces and counts for neither.
    """
    decimals = metrics()[metric].decimals
    numbers = [parts for text in texts if all(map(_NUMBER.fullmatch, parts := _plain(text).split(r" \pm ")))]
    whole = max((len(parts[0].lstrip("-").split(".")[0]) for parts in numbers), default=1)
    sign = "-" if any(parts[0].startswith("-") for parts in numbers) else ""
    digits = [len(parts[1].replace(".", "").lstrip("0")) or 1 for parts in numbers if len(parts) > 1]
    return f"{sign}{whole}.{decimals}" + (f"({max(digits)})" if digits else "")
