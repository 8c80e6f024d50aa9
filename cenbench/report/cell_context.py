"""Where a cell stands in the tables of its plan: rows and columns, the paper's numbers, siblings, seeds, neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cenbench.matrix.cell import Cell
from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.plan import Plan

_MOST_SIBLINGS = 24
"""Those that stand nearest in the table; a page of each cell lists them."""


@dataclass(frozen=True)
class Sibling:
    """Another slot of the same column and group, or of the same row where the table ranks columns; same seed."""

    name: str
    cell_id: str
    stream: str
    paper: Mapping[str, float]


@dataclass(frozen=True)
class CellPlace:
    """One slot that shows the cell."""

    table: str
    row: str
    column: str
    stream: str
    paper: Mapping[str, float]
    metrics: tuple[str, ...] = ()
    siblings: tuple[Sibling, ...] = ()
    """In the order of the table, the cell itself included."""


@dataclass(frozen=True)
class CellContext:
    """What a cell's page shows besides its own record. The cells before and after it are shown by the same tables and
    figures, so their pages exist too.
    """

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

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that tables show of the cell."""
        return tuple(dict.fromkeys(metric for place in self.places for metric in place.metrics))

    @property
    def related(self) -> Iterator[str]:
        """Ids of the cells whose numbers the page shows."""
        yield from self.seeds.values()
        for place in self.places:
            yield from (sibling.cell_id for sibling in place.siblings)


def context_of(plan: Plan, cell: Cell) -> CellContext:
    """The context of a cell of the plan."""
    places, seeds = [], {cell.seed: cell.id}
    for layout, slot in plan.slots_of(cell.id):
        row, column = layout.rows[slot.row], layout.columns[slot.column]
        siblings = tuple(_siblings(layout, slot, cell.seed))
        text = _joined((row.group or "", *row.labels))
        places.append(CellPlace(layout.name, text, column.label, slot.stream, slot.paper, column.metrics, siblings))
        seeds |= {other.seed: other.id for other in slot.cells}
    before, after = plan.neighbours(cell.id)
    return CellContext(plan.shown_in(cell.id), tuple(places), dict(sorted(seeds.items())), before, after)


def related_cells(plan: Plan, cells: Iterable[Cell]) -> dict[str, Cell]:
    """The cells whose numbers the pages of these cells show, by id; these cells included."""
    found = {cell.id: cell for cell in cells}
    for cell in list(found.values()):
        found |= {other: plan.cells[other] for other in context_of(plan, cell).related}
    return found


def _siblings(layout: TableLayout, own: Slot, seed: int) -> Iterator[Sibling]:
    for slot in layout.ranked_with(own, _MOST_SIBLINGS):
        if (same_seed := layout.cell_of_seed(slot, seed)) is not None:
            row, column = _joined(layout.rows[slot.row].labels), layout.columns[slot.column].label
            yield Sibling(column if layout.ranked == "columns" else row, same_seed.id, slot.stream, slot.paper)


def _joined(labels: Iterable[str]) -> str:
    """Those that are not empty, on one line."""
    return " / ".join(filter(None, labels))
