"""What a table looks like: rows, columns, and which cells and stream each slot shows. Data only; no number of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cenbench.matrix.cell import Cell


@dataclass(frozen=True)
class Row:
    """One line of the table. `labels` has one text a heading of `TableLayout.stub`; rows of a group stand together."""

    group: str | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """One column of numbers; `emphasised` marks the one the paper's argument is about."""

    label: str
    metrics: tuple[str, ...]
    """Shown together in each of its slots, e.g. ("fid", "kid_x100")."""
    emphasised: bool = False


@dataclass(frozen=True)
class Slot:
    """Where a number goes: the stream of these cells (one a seed), and what the paper says (metric -> value).

    A metric the paper has no sourced number for is absent from `paper`, never filled in.
    """

    row: int
    column: int
    cells: tuple[Cell, ...]
    stream: str
    paper: Mapping[str, float]
    paper_data: str | None = None
    """The dataset the paper's numbers are of, where its table has several."""


@dataclass(frozen=True)
class TableLayout:
    """A table without its numbers."""

    number: int
    name: str
    title: str
    caption: str
    stub: tuple[str, ...]
    """Headings of the row-label columns; the group's own heading is `group_heading`."""
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    slots: tuple[Slot, ...]
    footers: tuple[str, ...]
    protocol_lines: tuple[str, ...]
    group_heading: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric a column shows, each once."""
        return tuple(dict.fromkeys(metric for column in self.columns for metric in column.metrics))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell the table needs, each once, in reading order."""
        return tuple({cell.id: cell for slot in self.slots for cell in slot.cells}.values())

    def content(self) -> list[Any]:
        """Everything that is shown, as plain values that can be digested; a cell is as good as its id."""
        slots = [
            [slot.row, slot.column, slot.stream, dict(slot.paper), [cell.id for cell in slot.cells]]
            for slot in self.slots
        ]
        return [str(replace(self, slots=())), slots]
