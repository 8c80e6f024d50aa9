"""Rendering takes time in proportion to a table's rows, and pairs of ranks are counted as brute force counts them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from types import FrameType

import pytest
from checkout import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from test_report_table import record

from cenbench.matrix.layout import Row, TableLayout
from cenbench.matrix.plan import load_plan
from cenbench.report.agreement import agreeing_pairs
from cenbench.report.render_csv import render_csv
from cenbench.report.render_html import render_html
from cenbench.report.render_json import render_json
from cenbench.report.render_latex import render_latex
from cenbench.report.table import Table, build_table
from cenbench.report.terminal_table import render_terminal

NUMBERS = st.integers(-5, 5).map(float)  # few values, so that ties are common


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30))
def test_agreeing_pairs_are_those_of_brute_force(numbers: list[tuple[float, float]]) -> None:
    ranked = [(a, b) for a, b in combinations(numbers, 2) if a[0] != b[0]]
    agreeing = sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in ranked)
    assert agreeing_pairs(numbers) == (agreeing, len(ranked))


def repeated(layout: TableLayout, times: int) -> TableLayout:
    """The table with its rows several times over, each slot with the same cells as before."""
    height = len(layout.rows)
    rows = tuple(Row(row.group, (f"{row.labels[0]} {n}", *row.labels[1:])) for n in range(times) for row in layout.rows)
    slots = tuple(replace(slot, row=slot.row + height * n) for n in range(times) for slot in layout.slots)
    return replace(layout, rows=rows, slots=slots)


def built(layout: TableLayout) -> Table:
    records = {cell.id: record(cell, float(number)) for number, cell in enumerate(layout.cells)}
    return build_table("paper", layout, records)


def printed(table: Table) -> None:
    Console(width=200, file=io.StringIO()).print(render_terminal(table, 200))


STEPS: dict[str, Callable[[Table], object]] = {
    "build": lambda table: built(table.layout),
    "terminal": printed,
    "html": render_html,
    "latex": render_latex,
    "csv": render_csv,
    "json": lambda table: json.dumps(render_json(table)),
}


def instructions(work: Callable[[], object]) -> int:
    """Python instructions executed: unlike seconds, the same number on a busy machine."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> object:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", ["table6", "table7"])
@pytest.mark.parametrize("step", STEPS)
def test_work_grows_with_the_rows_not_with_their_square(name: str, step: str) -> None:
    """Four times the rows take four times the work; anything done per pair of rows adds to that, up to sixteenfold."""
    layout = load_plan(REPOSITORY / "params", "paper").table(name)
    few, many = built(repeated(layout, 5)), built(repeated(layout, 20))
    work = STEPS[step]
    work(few)  # imports and caches are not growth
    assert instructions(lambda: work(many)) < 4.4 * instructions(lambda: work(few))
