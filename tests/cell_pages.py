"""The context of a cell's page without a plan around it."""

from __future__ import annotations

from cenbench.matrix.cell import Cell
from cenbench.report.cell_context import CellContext


def shown_alone(cell: Cell, *tables: str) -> CellContext:
    """That of a cell with no other seed, neighbour or place in a table, shown by the named tables."""
    return CellContext(tables, (), {cell.seed: cell.id}, None, None)
