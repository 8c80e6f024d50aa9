"""Which page of `reports/` shows a table, figure, claim or cell, and which command writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.regular_file import is_file

PAGES = {
    "index": "cenbench report --preset {preset}",
    "claims": "cenbench claims --preset {preset} --write",
    "robustness": "snakemake robustness --config preset={preset}",
}
"""A page that is neither a table's, a figure's nor a cell's -> the command that writes it."""


@dataclass(frozen=True)
class Page:
    """A page and the command that writes it, from the cells that are finished."""

    path: Path
    command: str

    def written(self) -> Path:
        """The page's absolute path. Raises `UserError`, with the command, if it has not been written."""
        path = self.path.absolute()
        if not is_file(path):
            raise UserError("this page has not been written yet", where=path, fix=self.command)
        return path


def named_page(plan: Plan, reports: Path, name: str) -> Page | None:
    """The page of that name: `index`, `claims`, `robustness`, a table or a figure; None if there is no such page."""
    folder = reports / plan.preset
    if name in PAGES:
        path = reports / "index.html" if name == "index" else folder / f"{name}.html"
        return Page(path, PAGES[name].format(preset=plan.preset))
    if name not in plan.names:
        return None
    return Page(folder / f"{name}.html", _report(plan, name))


def cell_page(plan: Plan, reports: Path, cell: Cell) -> Page:
    """The page of a cell. Raises `UserError` for one that only others start from: it has none."""
    tables = [table.name for table in plan.tables if cell in table.cells]
    shown = tables or [figure.name for figure in plan.figures if cell in figure.cells]
    if not shown:
        raise UserError(
            "this cell has no page: no table or figure shows it, other cells only start from it",
            key=cell.id,
            fix=f"its log: cenbench log '{cell.id}' --preset {plan.preset}",
        )
    return Page(reports / plan.preset / "cells" / f"{cell.id}.html", _report(plan, shown[0]))


def _report(plan: Plan, name: str) -> str:
    kind = "table" if name in (table.name for table in plan.tables) else "figure"
    return f"cenbench report --preset {plan.preset} --{kind} {name}"
