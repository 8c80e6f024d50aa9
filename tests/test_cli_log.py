"""`cenbench log` prints a cell's last run, and follows it until the cell has ended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from published import make_root, publish
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths
from cenbench.schedule.cell_log import all_runs, follow_run, last_run, latest_log

TIME = "2026-11-27 10:00:00,000"


@pytest.fixture
def root(tmp_path: Path) -> tuple[Plan, Paths]:
    return make_root(tmp_path / "root", tiny=True)


def header(cell: Cell) -> str:
    return f"{TIME} cell {cell.id}\n"


def write_log(path: Path, text: str, time_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time_s, time_s))


def test_the_log_is_that_of_the_last_run_with_or_without_snakemake(root: tuple[Plan, Paths]) -> None:
    plan, paths = root
    cell = next(iter(plan.cells.values()))
    assert (latest_log(paths, cell), last_run(paths, cell), all_runs(paths, cell)) == (None, [], [])
    runs = header(cell) + "the first run\n" + header(cell) + "the second run\n"
    write_log(paths.run_log(cell), runs, 100.0)
    write_log(paths.log(cell), header(cell) + "the second run\nTraceback\n", 101.0)
    assert last_run(paths, cell)[1:] == ["the second run", "Traceback"]
    assert all_runs(paths, cell) == runs.splitlines()
    write_log(paths.run_log(cell), runs + header(cell) + "without Snakemake", 102.0)
    assert last_run(paths, cell)[1:] == ["without Snakemake"]


def test_a_cell_that_shares_its_training_does_not_get_the_other_ones_lines(root: tuple[Plan, Paths]) -> None:
    plan, paths = root
    cell, other = list(plan.cells.values())[:2]
    write_log(paths.run_log(cell), header(other) + "a\n" + header(cell) + "b\n" + header(other) + "c\n", 100.0)
    assert last_run(paths, cell)[1:] == ["b"]
    assert list(follow_run(paths, cell, lambda: True))[1:] == ["b"]


def test_following_yields_each_complete_line_once_until_the_cell_has_ended(root: tuple[Plan, Paths]) -> None:
    plan, paths = root
    cell = next(iter(plan.cells.values()))
    path = paths.run_log(cell)
    whole = header(cell) + "old\n" + header(cell) + "step 1\nstep 2\nlast"
    written = ["", header(cell) + "old\n" + header(cell) + "ste", whole.removesuffix("ep 2\nlast"), whole]
    pauses = []

    def write_more(seconds: float) -> None:
        pauses.append(seconds)
        if text := written[len(pauses)]:
            write_log(path, text, 100.0)

    found = list(follow_run(paths, cell, lambda: len(pauses) == 3, write_more))
    assert found == [header(cell).rstrip(), "step 1", "step 2", "last"]


def test_following_goes_on_with_a_log_that_was_started_again(root: tuple[Plan, Paths]) -> None:
    plan, paths = root
    cell = next(iter(plan.cells.values()))
    write_log(paths.run_log(cell), header(cell) + "a long line of an earlier run\n", 100.0)
    pauses = []

    def start_again(seconds: float) -> None:
        pauses.append(seconds)
        write_log(paths.run_log(cell), header(cell) + "new\n", 101.0)

    found = list(follow_run(paths, cell, lambda: bool(pauses), start_again))
    assert found[1:] == ["a long line of an earlier run", header(cell).rstrip(), "new"]


def test_the_command_accepts_the_end_of_a_hash_and_hides_control_characters(root: tuple[Plan, Paths]) -> None:
    plan, paths = root
    cell = next(iter(plan.cells.values()))
    arguments = ["log", cell.id[-8:], "--root", str(paths.root)]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, UserError)
    assert "has not run here" in error.problem and "--preset demo" in str(error.fix)
    write_log(paths.run_log(cell), header(cell) + "red \x1b[31m\n", 100.0)
    assert CliRunner().invoke(app, arguments).output == header(cell) + "red ?[31m\n"
    publish(paths, cell)
    followed = CliRunner().invoke(app, [*arguments, "--follow"])
    assert followed.exit_code == 0
    assert "red ?[31m" in followed.output and f"{cell.id}: ok" in followed.output
    error = CliRunner().invoke(app, [*arguments, "--follow", "--all"]).exception
    assert isinstance(error, UserError)
