"""What a name given to `cenbench compare` stands for: a preset, a row, a cell, or another place's results."""

from __future__ import annotations

import re

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import measured_metrics
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.records.saved import SavedRecord, read_saved
from cenbench.report.sides import Place, Side, network_places, table_places

_ROW = re.compile(r"(table[0-9a-z-]{1,64}):([0-9]{1,4})")


def plan_side(name: str, plan: Plan, paths: Paths) -> Side:
    """Every slot of a preset's tables."""
    places: dict[Place, tuple[str, tuple[Cell, ...]]] = {}
    shown: dict[Place, tuple[str, ...]] = {}
    for layout in plan.tables:
        columns = {column.label: column.metrics for column in layout.columns}
        found = table_places(layout)
        places |= found
        shown |= {place: columns[place[2]] for place in found}
    return _side(name, places, shown, plan.shown, paths)


def network_side(name: str, cells: tuple[Cell, ...], paths: Paths) -> Side:
    """The outputs of one network, whose cells differ in their seeds."""
    places = network_places(cells)
    shown = dict.fromkeys(places, measured_metrics(cells[0].task.kind))
    return _side(name, places, shown, cells, paths)


def row_cells(text: str, plan: Plan) -> tuple[str, tuple[Cell, ...]] | None:
    """Name and cells of the row that `table7:3` names, rows counted from 1; None for any other text.

    Raises `UserError` for an unknown table, a row it does not have, and a row of several networks.
    """
    match = _ROW.fullmatch(text)
    if match is None:
        return None
    layout, number = plan.table(match[1]), int(match[2])
    if not 1 <= number <= len(layout.rows):
        raise UserError(f"{match[1]} has no row {number}", found=text, expected=f"1 to {len(layout.rows)}")
    networks = {slot.cells for slot in layout.slots if slot.row == number - 1}
    if len(networks) != 1:
        problem = f"row {number} of {match[1]} shows {len(networks)} networks"
        raise UserError(problem, found=text, fix=f"name the cells: cenbench plan --table {match[1]}")
    return f"{match[1]}, {layout.rows[number - 1].name}", networks.pop()


def _side(
    name: str,
    places: dict[Place, tuple[str, tuple[Cell, ...]]],
    shown: dict[Place, tuple[str, ...]],
    cells: tuple[Cell, ...],
    paths: Paths,
) -> Side:
    records, damaged = dict[str, SavedRecord](), dict[str, str]()
    for cell in cells:
        try:
            record = read_saved(paths, cell)
        except UserError as error:
            damaged[cell.id] = error.problem
        else:
            records |= {} if record is None else {cell.id: record}
    absent = {cell.id: read_record(paths, cell).state for cell in cells if cell.id not in records}
    return Side(name, places, shown, records, absent, damaged, str(paths.results.resolve()))
