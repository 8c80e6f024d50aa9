"""The two sides of `cenbench compare`: a cell, a row, a preset, another checkout or an exported archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cenbench.matrix.cell import Cell
from cenbench.matrix.layout import TableLayout
from cenbench.records.read import State
from cenbench.records.saved import SavedRecord

Place = tuple[str, ...]
"""Where a number stands, equal on both sides: table, row and column of a plan, or the output of a network."""


@dataclass(frozen=True)
class Side:
    """Everything one side has: cells by place and seed, and the records of those that are finished."""

    name: str
    places: Mapping[Place, tuple[str, tuple[Cell, ...]]]
    """Place -> output stream and cells, one per seed."""
    metrics: Mapping[Place, tuple[str, ...]]
    records: Mapping[str, SavedRecord] = field(default_factory=dict)
    """Cell id -> record."""
    absent: Mapping[str, State] = field(default_factory=dict)
    """Id of a cell without a finished record -> state."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """Id of a cell with a damaged record -> what is wrong with it."""
    origin: str = ""
    """Where its records are: the folder of the results, an archive, or a commit. Empty for records made in memory."""

    def is_same(self, other: Side) -> bool:
        """Whether both sides are the same cells of one origin, so that nothing can differ between them."""
        cells, of_other = ({*side.records, *side.absent, *side.damaged} for side in (self, other))
        return bool(self.origin) and self.origin == other.origin and cells == of_other

    def cells(self, place: Place) -> tuple[Cell, ...]:
        """One per seed; none for a place that this side does not have."""
        return self.places.get(place, ("", ()))[1]

    def state(self, cell: Cell) -> State:
        """That of the cell's record: ok for one that is finished, whatever code made it."""
        return "ok" if cell.id in self.records else self.absent.get(cell.id, "missing")

    def numbers(self, place: Place, metric: str) -> dict[int, float]:
        """Seed -> number; none for a place that this side does not have."""
        stream, cells = self.places.get(place, ("", ()))
        found = {}
        for cell in cells:
            record = self.records.get(cell.id)
            value = record.metrics.get(stream, {}).get(metric) if record else None
            if value is not None:
                found[cell.seed] = value
        return found


def network_places(cells: tuple[Cell, ...]) -> dict[Place, tuple[str, tuple[Cell, ...]]]:
    """The outputs of one network, whose cells differ in their seeds."""
    return {(stream,): (stream, cells) for stream in cells[0].streams}


def table_places(layout: TableLayout) -> dict[Place, tuple[str, tuple[Cell, ...]]]:
    """The slots of a table, by its name and the labels of row and column."""
    return {
        (layout.name, layout.rows[slot.row].name, layout.columns[slot.column].label): (slot.stream, slot.cells)
        for slot in layout.slots
    }
