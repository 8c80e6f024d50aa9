"""Where a cell stands in the tables of its plan: rows and columns, the paper's numbers, other seeds, neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.report.sides import row_name


@dataclass(frozen=True)
class CellPlace:
    """One slot that shows the cell."""

    table: str
    row: str
    column: str
    stream: str
    paper: Mapping[str, float]


@dataclass(frozen=True)
class CellContext:
    """What a cell's page links to. Neighbours are shown by the same tables and figures, so their pages exist too."""

    shown_in: tuple[str, ...]
    places: tuple[CellPlace, ...]
    seeds: Mapping[int, str]
    """Seed -> id, the cell itself included."""
    previous: str | None
    next: str | None

    def paper(self, stream: str, metric: str) -> float | None:
        """The paper's number of an output; None if it has none, or if tables give different ones."""
        found = {place.paper[metric] for place in self.places if place.stream == stream and metric in place.paper}
        return found.pop() if len(found) == 1 else None


def context_of(plan: Plan, cell: Cell) -> CellContext:
    """The context of a cell of the plan."""
    tables, shown_in = plan.tables_of(cell.id), plan.shown_in(cell.id)
    places, seeds = [], {cell.seed: cell.id}
    for name in tables:
        layout = plan.table(name)
        for slot in layout.slots:
            if any(other.id == cell.id for other in slot.cells):
                row, column = row_name(layout.rows[slot.row]), layout.columns[slot.column].label
                places.append(CellPlace(name, row, column, slot.stream, slot.paper))
                seeds |= {other.seed: other.id for other in slot.cells if plan.shown_in(other.id) == shown_in}
    alike = plan.shown_by(shown_in)
    at = alike.index(cell.id)
    before, after = (alike[at - 1] if at else None), (alike[at + 1] if at + 1 < len(alike) else None)
    return CellContext(shown_in, tuple(places), dict(sorted(seeds.items())), before, after)
