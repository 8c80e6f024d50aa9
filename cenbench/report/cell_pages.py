"""Writes the pages of cells: each once per command, however many tables and figures show it, and only if it changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import write_bytes
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.records.read import CellRecord
from cenbench.regular_file import read_regular
from cenbench.report.cell_context import context_of
from cenbench.report.cell_page import render_cell_page
from cenbench.report.cell_sources import CellSources


def write_cell_pages(plan: Plan, cells: Iterable[Cell], records: Mapping[str, CellRecord], folder: Path) -> None:
    """Write `folder/cells/<id>.html` of these cells. A page links those beside it, and those that are there already."""
    shown = {cell.id: cell for cell in cells}
    rendered = [path.name.removesuffix(".html") for path in (folder / "cells").glob("*.html")]
    sources = CellSources(records, {*rendered, *shown})
    for cell_id, cell in shown.items():
        page = render_cell_page(plan.preset, records[cell_id], context_of(plan, cell), sources)
        _write_if_changed(folder / "cells" / f"{cell_id}.html", page)


def _write_if_changed(path: Path, page: str) -> None:
    """Skip an unchanged page: one changed cell renders its whole table again, which may have a thousand cells."""
    data = page.encode("utf-8")
    try:
        if read_regular(path, len(data)) == data:
            return
    except UserError:
        pass  # missing, or another page
    write_bytes(path, data)
