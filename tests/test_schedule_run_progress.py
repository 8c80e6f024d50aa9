"""In a pipe, a Snakemake run prints how many cells are done, run and failed, and how long the rest takes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from published import make_root

from cenbench.matrix.cost import cell_seconds, dataset_seconds
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths
from cenbench.run.heartbeat import Beat
from cenbench.schedule.interruption import Interruption
from cenbench.schedule.run_progress import JobCounts, RunProgress, progress_line, seconds_left

NOW = 1_800_000_000.0
Quiet = Enum("Quiet", ["ALL", "PROGRESS", "RULES"])


def beat(cell_id: str, left_s: float | None, phase: Any = "training") -> Beat:
    return Beat(cell_id, phase, "host", "host", 1, None, NOW, NOW, NOW, left_s=left_s)


def job(rule: str, **wildcards: str) -> Any:
    values = SimpleNamespace(**wildcards)
    listed = type("Wildcards", (), {"__iter__": lambda self: iter(wildcards.values()), **wildcards})()
    return SimpleNamespace(rule=SimpleNamespace(name=rule), wildcards=listed, is_group=lambda: False, values=values)


class Group(list[Any]):
    def is_group(self) -> bool:
        return True


def workflow(jobs: Iterable[Any], *, done: Any = (), running: Any = (), failed: Any = (), quiet: Any = ()) -> Any:
    dag = SimpleNamespace(needrun_jobs=lambda exclude_finished: iter(jobs), finished=lambda one: one in done)
    return SimpleNamespace(dag=dag, scheduler=SimpleNamespace(running=running, failed=failed, quiet=quiet))


def test_cells_are_counted_and_running_jobs_of_other_rules_named() -> None:
    cells = [job("cell", cell=name) for name in "abcde"]
    table, dataset = job("table", table="table7"), job("dataset", dataset="rooms")
    running = [Group([cells[1]]), cells[2], dataset]
    found = JobCounts.of(workflow([*cells, table], done=[cells[0], table], running=running, failed=[cells[3]]))
    assert found == JobCounts(frozenset("abcde"), frozenset("a"), frozenset("d"), frozenset("bc"), ("dataset rooms",))
    line = progress_line(found, {"b": beat("b", 60.0)}, 240.0)
    expected = "1 of 5 cells done, 1 running, 1 starting or queued, 1 failed, about 4 min left; now: dataset rooms"
    assert line == f"progress: {expected}"


def test_before_snakemake_knows_its_jobs_there_is_nothing_to_count() -> None:
    assert JobCounts.of(SimpleNamespace(dag=None, scheduler=None)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        ({}, (100 + 200 + 300) / 4),
        ({"b": beat("b", 50.0)}, 50 + 100 + 300),
        ({"b": beat("b", 50.0), "c": beat("c", None)}, max(300, (50 + 300 + 100) / 2)),
        ({"c": beat("c", None, "evaluating")}, 0 + 100 + 200),
        ({"a": beat("a", 1.0), "b": beat("b", 900.0), "c": beat("c", 1.0)}, 900.0),
    ],
    ids=["none runs: the workers", "its own rate", "not training yet", "evaluating", "the longest"],
)
def test_time_left_is_that_of_running_and_waiting_cells(beats: dict[str, Beat], expected: float) -> None:
    """Closed form. Finished and failed cells take no more time."""
    seconds = {"a": 100.0, "b": 200.0, "c": 300.0, "done": 1e6, "failed": 1e6}
    jobs = JobCounts(frozenset(seconds), frozenset({"done"}), frozenset({"failed"}), frozenset(beats), ())
    assert seconds_left(jobs, beats, seconds, workers=4) == pytest.approx(expected)


@pytest.fixture
def root(tmp_path: Path) -> tuple[Plan, Paths]:
    return make_root(tmp_path / "root", tiny=True)


def test_the_line_of_a_run_that_begins_is_the_models_estimate(root: tuple[Plan, Paths]) -> None:
    plan, paths = root
    jobs = [job("cell", cell=cell_id) for cell_id in plan.cells]
    progress = RunProgress(plan, paths, workflow(jobs))
    cells_s = sum(cell_seconds(cell, plan.cost) for cell in plan.cells.values())
    assert progress.line(NOW) == f"progress: 0 of 3 cells done, 0 failed, about {cells_s / 2:.0f} s left"
    for manifest in paths.data.glob("*/manifest.json"):
        manifest.unlink()
    scenes_s = sum(dataset_seconds(dataset, plan.cost) for dataset in plan.datasets)
    assert f"about {(cells_s + scenes_s) / 2:.0f} s left" in RunProgress(plan, paths, workflow(jobs)).line(NOW)


def test_a_terminal_gets_no_lines_and_quiet_runs_neither(root: tuple[Plan, Paths]) -> None:
    plan, paths = root
    jobs = [job("cell", cell=cell_id) for cell_id in plan.cells]

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, quiet, pipe = Terminal(), io.StringIO(), io.StringIO()
    RunProgress(plan, paths, workflow(jobs), terminal).start(Interruption())
    RunProgress(plan, paths, workflow(jobs, quiet={Quiet.ALL}), quiet).stop()
    RunProgress(plan, paths, workflow(jobs, done=jobs, quiet={Quiet.RULES}), pipe).stop()
    assert (terminal.getvalue(), quiet.getvalue()) == ("", "")
    assert pipe.getvalue().endswith(" progress: 3 of 3 cells done, 0 failed\n")


def test_lines_are_printed_while_the_run_goes_on(root: tuple[Plan, Paths], monkeypatch: pytest.MonkeyPatch) -> None:
    plan, paths = root
    monkeypatch.setattr("cenbench.schedule.run_progress.EVERY_S", 0.01)

    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            if self.getvalue().count("\n") == 2:
                progress._ended.set()
            return super().write(text)

    pipe = Pipe()
    progress = RunProgress(plan, paths, workflow([job("cell", cell=next(iter(plan.cells)))]), pipe)
    progress._run(Interruption())
    assert pipe.getvalue().count("progress: 0 of 1 cells done") == 3
