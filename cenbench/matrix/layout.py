"""The layout of a table: rows, columns, and the cells and stream that each slot shows. No measured numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from cenbench.matrix.cell import Cell
from cenbench.matrix.verdict_rules import VerdictRules

Ranked = Literal["rows", "columns"]


@dataclass(frozen=True)
class Row:
    """One row of the table. `labels` has one string per heading of `TableLayout.stub`; rows of a group are adjacent."""

    group: str | None
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        """Group and labels on one line; no two rows of a table have the same."""
        return " / ".join([*([self.group] if self.group else []), *self.labels])


@dataclass(frozen=True)
class Column:
    """One column of numbers; `emphasised` marks the one that the paper's argument is about."""

    label: str
    metrics: tuple[str, ...]
    """Shown together in each of its slots, e.g. ("fid", "kid_x100")."""
    emphasised: bool = False
    short: str = ""
    """The label where space is short; empty if it is the label."""

    @property
    def head(self) -> str:
        """The label where space is short."""
        return self.short or self.label


@dataclass(frozen=True)
class Slot:
    """A place for numbers: the stream of these cells (one per seed), and the paper's numbers (metric -> value).

    A metric without a sourced number is absent from `paper`, never filled in.
    """

    row: int
    column: int
    cells: tuple[Cell, ...]
    stream: str
    paper: Mapping[str, float]
    reference: Cell | None = None
    """This slot's cell under the preset that follows the paper; None where it has none."""
    incomparable: str | None = None
    """Why the paper's numbers can never be compared here, as the table declares it."""


@dataclass(frozen=True)
class TableLayout:
    """A table without its numbers."""

    number: int | None
    """None for a table that is not in the paper."""
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
    ranked: Ranked = "rows"
    """What the best number is the best of: the rows of a group in one column, or the columns of one row."""
    whole: bool = True
    """False: rows were left out on purpose, by the table or by the preset."""
    rules: VerdictRules = field(default_factory=VerdictRules)
    short_stub: tuple[str, ...] = ()
    """The headings of `stub` where space is short; empty if they are the same."""
    paper_decimals: Mapping[str, int] = field(default_factory=dict)
    """Metric -> decimals with which the paper prints it in this table."""

    @property
    def heading(self) -> str:
        """Its title, after its number if it has one."""
        return self.title if self.number is None else f"Table {self.number}. {self.title}"

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of all columns, each once."""
        return tuple(dict.fromkeys(metric for column in self.columns for metric in column.metrics))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of all slots, each once, in reading order."""
        return tuple({cell.id: cell for slot in self.slots for cell in slot.cells}.values())

    def line_of(self, slot: Slot) -> Hashable:
        """The same for all slots among which `ranked` finds the best."""
        return slot.row if self.ranked == "columns" else (self.rows[slot.row].group, slot.column)

    def ranked_with(self, slot: Slot, most: int) -> tuple[Slot, ...]:
        """The slots of the same line in their order, this one included: of more than `most`, those around it."""
        alike, at = self._ranked_together[slot.row, slot.column]
        first = max(0, min(at - most // 2, len(alike) - most))
        return tuple(alike[first : first + most])

    @cached_property
    def _ranked_together(self) -> Mapping[tuple[int, int], tuple[list[Slot], int]]:
        """Row and column of a slot -> the slots it is ranked with, and its place among them."""
        alike: dict[Hashable, list[Slot]] = {}
        found: dict[tuple[int, int], tuple[list[Slot], int]] = {}
        for slot in self.slots:
            together = alike.setdefault(self.line_of(slot), [])
            found[slot.row, slot.column] = together, len(together)
            together.append(slot)
        return found

    def cell_of_seed(self, slot: Slot, seed: int) -> Cell | None:
        """The cell of this slot that has that seed."""
        return self._of_seed[slot.row, slot.column].get(seed)

    @cached_property
    def _of_seed(self) -> Mapping[tuple[int, int], Mapping[int, Cell]]:
        return {(slot.row, slot.column): {cell.seed: cell for cell in slot.cells} for slot in self.slots}

    def content(self) -> list[Any]:
        """Everything the table shows, as plain values for a digest; cells are represented by their ids."""
        slots = [
            [
                *(slot.row, slot.column, slot.stream, dict(slot.paper), [cell.id for cell in slot.cells]),
                *(slot.reference.id if slot.reference else None, slot.incomparable),
            ]
            for slot in self.slots
        ]
        return [str(replace(self, slots=())), slots]
