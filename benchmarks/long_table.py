"""A long or a wide table, and every way to render it: for benchmarks/scale.py and tests/test_report_growth.py."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from cenbench.matrix.layout import TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.matrix.plan import load_plan
from cenbench.records.read import CellRecord
from cenbench.report.render_csv import render_csv
from cenbench.report.render_html import render_html
from cenbench.report.render_json import render_json
from cenbench.report.render_latex import render_latex
from cenbench.report.table import Table, build_table
from cenbench.report.terminal_table import render_terminal

WIDTH = 200


def long_table(params: Path, name: str, rows: int) -> Table:
    """A table of the paper preset, its rows repeated until there are `rows`, with a made-up number in every slot."""
    layout = load_plan(params, "paper").table(name)
    height = len(layout.rows)
    slots = (
        replace(slot, row=slot.row + offset)
        for offset in range(0, rows, height)
        for slot in layout.slots
        if slot.row + offset < rows
    )
    return filled(replace(layout, rows=(layout.rows * (rows // height + 1))[:rows], slots=tuple(slots)))


def wide_table(params: Path, name: str, columns: int) -> Table:
    """A table of the paper preset, its columns repeated until there are `columns`, filled likewise."""
    layout = load_plan(params, "paper").table(name)
    width = len(layout.columns)
    slots = (
        replace(slot, column=slot.column + offset)
        for slot in layout.slots
        for offset in range(0, columns, width)
        if slot.column + offset < columns
    )
    repeated = (layout.columns * (columns // width + 1))[:columns]
    return filled(replace(layout, columns=repeated, slots=tuple(slots)))


def filled(layout: TableLayout) -> Table:
    """Build the table from records whose numbers count the cells."""
    records = {}
    for number, cell in enumerate(layout.cells):
        measured = dict.fromkeys(metrics(), float(number))
        streams = dict.fromkeys(cell.streams, measured)
        records[cell.id] = CellRecord(cell, "ok", None, streams, {}, Path("nowhere"), None)
    return build_table("paper", layout, records)


def printed(table: Table, width: int = WIDTH) -> None:
    """Print to memory as `cenbench show` prints to a terminal."""
    Console(width=width, file=io.StringIO()).print(render_terminal(table, width))


STEPS: dict[str, Callable[[Table], object]] = {
    "build": lambda table: filled(table.layout),
    "terminal": printed,
    "HTML": render_html,
    "LaTeX": render_latex,
    "CSV": render_csv,
    "JSON": lambda table: json.dumps(render_json(table)),
}


def cpu_seconds(table: Table) -> dict[str, float]:
    """CPU seconds of each step."""
    taken = {}
    for name, work in STEPS.items():
        start = time.process_time()
        work(table)
        taken[name] = time.process_time() - start
    return taken
