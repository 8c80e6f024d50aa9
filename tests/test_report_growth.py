"""Work grows with rows, columns, seeds and tables, not with their square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from checkout import REPOSITORY

from cenbench.matrix.plan import load_plan
from cenbench.report.cell_context import related_cells

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
from growth import copy_of_table7
from long_table import STEPS, long_table, printed, wide_table
from plan import with_seeds


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


@pytest.mark.parametrize("step", STEPS)
def test_work_grows_with_the_rows_not_with_their_square(step: str) -> None:
    """Four times the rows take four times the work; anything done per pair of rows adds to that, up to sixteenfold."""
    few, many = (long_table(REPOSITORY / "params", "table7", rows) for rows in (60, 240))
    work = STEPS[step]
    work(few)  # imports and caches are not growth
    assert instructions(lambda: work(many)) < 4.4 * instructions(lambda: work(few))


@pytest.mark.parametrize("step", STEPS)
def test_work_grows_with_the_columns(step: str) -> None:
    # In a terminal where both fit: rich shrinks columns that do not in passes over all of them, 10 times for 4 times.
    few, many = (wide_table(REPOSITORY / "params", "table7", columns) for columns in (12, 48))
    work = {**STEPS, "terminal": lambda table: printed(table, 10_000)}[step]
    work(few)
    assert instructions(lambda: work(many)) < 4.4 * instructions(lambda: work(few))


def test_planning_grows_with_the_seeds_and_with_the_tables(tmp_path: Path) -> None:
    """Four times the seeds, or the tables, take at most four times the work."""

    def planned(name: str, seeds: int, tables: int) -> int:
        params = copy_of_table7(tmp_path / name, tables)
        with_seeds(params, seeds)
        return instructions(lambda: load_plan(params, "paper").cells)

    planned("warm", 1, 1)
    few = planned("few", 2, 1)
    assert planned("seeds", 8, 1) < 4.4 * few
    assert planned("tables", 2, 4) < 4.4 * few


def test_the_places_of_cells_grow_with_the_cells(tmp_path: Path) -> None:
    """Four times the seeds take four times the work; a search of the whole table for each cell would add to that."""

    def found(seeds: int) -> int:
        params = copy_of_table7(tmp_path / str(seeds), 1)
        with_seeds(params, seeds)
        plan = load_plan(params, "paper")
        assert plan.cells
        return instructions(lambda: related_cells(plan, plan.cells.values()))

    assert found(16) < 4.4 * found(4)


def test_a_long_table_has_the_rows_and_slots_it_should() -> None:
    short, long = (long_table(REPOSITORY / "params", "table7", rows) for rows in (11, 25))
    assert len(long.layout.rows) == 25
    assert len(long.entries) == 25 * 3
    assert long.entries[33].values == short.entries[0].values
