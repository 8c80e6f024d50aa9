"""The status of every cell from files alone: which cells run, are lost or wait, and the next command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from dataclasses import asdict, replace
from pathlib import Path
from subprocess import Popen
from types import SimpleNamespace
from typing import Any

import pytest
from checkout import REPOSITORY, Checkout
from rich.console import Console
from snakemake.persistence.file import FilePersistence
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.evaluate.measured import Measured
from cenbench.files import write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan, load_plan
from cenbench.paths import Paths
from cenbench.process import folder_id, this_process
from cenbench.records.digests import current_digests
from cenbench.records.write import write_finished
from cenbench.report.terminal_status import next_command, render_status, short_ids
from cenbench.run.heartbeat import FILE, LOST_AFTER_S, Beat, read_beat
from cenbench.schedule.controller_lock import hold_working_directory
from cenbench.schedule.remaining_cost import left_words
from cenbench.schedule.status import CellStatus, all_ended, counts, plan_status, status_document
from cenbench.schedule.submitted_jobs import submitted_job

NOW = 1_800_000_000.0


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A checkout in which no cell has run."""
    return Paths(Checkout.make(tmp_path / "checkout").root)


@pytest.fixture
def plan(paths: Paths) -> Plan:
    """Three cells: two segmentation, one translation."""
    return load_plan(paths.params, "demo")


def cells_of(plan: Plan) -> list[Cell]:
    return list(plan.cells.values())


def publish_ok(paths: Paths, cell: Cell) -> None:
    numbers = {stream: {"miou_pct": 50.0} for stream in cell.streams}
    write_finished(cell, paths, current_digests(cell, paths.data), Measured(numbers), b"", {}, "0" * 64)


def leave_beat(paths: Paths, cell: Cell, age_s: float, **more: Any) -> Beat:
    then = NOW - age_s
    beat = Beat(cell.id, "training", "host1", "node1", 42, "7", then - 90, then - 1, then, 30, 120, 1.5, 60.0)
    beat = replace(beat, **more)
    write_json(paths.state(cell) / FILE, asdict(beat))
    return beat


def submit(root: Path, cell: Cell, job: str | None) -> None:
    """Write the note that Snakemake writes for a submitted job, under its name."""
    folder = root / ".snakemake" / "incomplete"
    folder.mkdir(parents=True, exist_ok=True)
    snakemake = SimpleNamespace(_fetch_max_len=lambda subject: os.pathconf(subject, "PC_NAME_MAX"))
    note = Path(FilePersistence._record_path(snakemake, str(folder), f"results/cells/{cell.id}/metrics.json"))
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"external_jobid": job}))


def states(plan: Plan, paths: Paths) -> list[str]:
    return [cell.state for cell in plan_status(plan, paths, NOW)]


def test_a_fresh_heartbeat_is_a_running_cell(plan: Plan, paths: Paths) -> None:
    leave_beat(paths, cells_of(plan)[0], age_s=5)
    seen, *others = plan_status(plan, paths, NOW)
    assert seen.state == "running"
    assert (seen.age_s, seen.idle_s, seen.left_s) == (5, 6, 55)
    expected = {"phase": "training", "step": 30, "total": 120, "steps_per_s": 1.5, "node": "node1", "job": "7"}
    assert {key: seen.as_dict()[key] for key in expected} == expected
    assert [cell.state for cell in others] == ["missing", "missing"]


@pytest.mark.parametrize(("age_s", "state"), [(LOST_AFTER_S - 1, "running"), (LOST_AFTER_S + 1, "lost")])
def test_a_heartbeat_that_stopped_is_a_lost_cell(plan: Plan, paths: Paths, age_s: float, state: str) -> None:
    leave_beat(paths, cells_of(plan)[0], age_s)
    seen = plan_status(plan, paths, NOW)[0]
    assert (seen.state, seen.age_s) == (state, age_s)
    assert (seen.left_s is None) == (state == "lost")


@pytest.mark.parametrize(("ahead_s", "state"), [(20, "running"), (3600, "lost")])
def test_a_clock_that_is_ahead(plan: Plan, paths: Paths, ahead_s: float, state: str) -> None:
    leave_beat(paths, cells_of(plan)[0], -ahead_s)
    seen = plan_status(plan, paths, NOW)[0]
    assert (seen.state, seen.age_s) == (state, 0)


def test_every_other_state_is_that_of_the_record(plan: Plan, paths: Paths) -> None:
    done, bad, _ = cells_of(plan)
    publish_ok(paths, done)
    write_json(paths.state(bad) / "failure.json", {"reason": "out of memory at step 3\n  found: x", "cell_id": bad.id})
    assert states(plan, paths) == ["ok", "failed", "missing"]
    assert plan_status(plan, paths, NOW)[1].reason == "out of memory at step 3\n  found: x"


def test_a_finished_record_outweighs_the_heartbeat_of_a_run_killed_after_it(plan: Plan, paths: Paths) -> None:
    cell = cells_of(plan)[0]
    publish_ok(paths, cell)
    leave_beat(paths, cell, LOST_AFTER_S + 1)
    assert states(plan, paths)[0] == "ok"
    leave_beat(paths, cell, 1)  # but one that beats is being made again
    assert states(plan, paths)[0] == "running"


def test_a_killed_retry_is_lost_not_failed(plan: Plan, paths: Paths) -> None:
    cell = cells_of(plan)[0]
    write_json(paths.state(cell) / "failure.json", {"reason": "before", "cell_id": cell.id})
    leave_beat(paths, cell, LOST_AFTER_S + 1)
    assert states(plan, paths)[0] == "lost"


def test_a_heartbeat_belongs_to_the_cell_it_names(plan: Plan, paths: Paths) -> None:
    """Cells that differ only in their evaluation share a training, and therefore the heartbeat's folder."""
    leave_beat(paths, cells_of(plan)[0], 1, cell_id="another-measurement")
    assert states(plan, paths) == ["missing"] * 3


def test_a_submitted_job_is_queued_until_its_first_beat(plan: Plan, paths: Paths) -> None:
    first, second, _ = cells_of(plan)
    submit(paths.root, first, "4711")
    submit(paths.root, second, None)  # a job of this machine is not queued anywhere
    seen = plan_status(plan, paths, NOW)
    assert [cell.state for cell in seen] == ["queued", "missing", "missing"]
    assert seen[0].job == "4711"
    leave_beat(paths, first, 1)
    assert states(plan, paths)[0] == "running"


@pytest.mark.parametrize("letters", [3, 180, 500])
def test_notes_are_found_where_snakemake_writes_them(tmp_path: Path, plan: Plan, letters: int) -> None:
    """A long name is split into folders."""
    cell: Any = SimpleNamespace(id="x" * letters)
    assert submitted_job(tmp_path, cell) is None
    submit(tmp_path, cell, "9")
    assert submitted_job(tmp_path, cell) == "9"


def training(checkout: Checkout, plan: Plan) -> Popen[str]:
    """Start the plan's first cell, and return once its heartbeat reports training."""
    cell = cells_of(plan)[0]
    process = checkout.start("python", "-m", "cenbench", "run", cell.id)
    deadline = time.monotonic() + 120
    while True:
        seen = plan_status(plan, Paths(checkout.root), time.time())[0]
        if seen.beat and (seen.beat.pid, seen.beat.phase, seen.state) == (process.pid, "training", "running"):
            return process
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_killed_cell_is_lost_but_a_stopped_one_is_not(checkout: Checkout) -> None:
    checkout.edit("params/presets/demo.yaml", "epochs: 3\n", "epochs: 2000\n")  # long enough to be seen
    paths = Paths(checkout.root)
    plan = load_plan(paths.params, "demo").select(tables=["table8"])
    process = training(checkout, plan)
    process.kill()
    process.communicate()
    lost = plan_status(plan, paths, time.time() + LOST_AFTER_S + 1)[0]
    assert lost.state == "lost"
    assert lost.reason is not None
    assert "while training" in lost.reason
    process = training(checkout, plan)  # on this host nothing has to be waited for
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert "the state is saved" in output
    assert read_beat(paths.state(cells_of(plan)[0])) is None
    assert plan_status(plan, paths, time.time() + LOST_AFTER_S + 1)[0].state == "missing"


def printed(plan: Plan, cells: list[CellStatus], left: str = "", height: int | None = None) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render_status(plan, cells, left, height, width=200))
    return capture.get()


def test_the_table_has_one_line_per_cell_and_the_next_command(plan: Plan, paths: Paths) -> None:
    done, runs, _ = cells_of(plan)
    publish_ok(paths, done)
    leave_beat(paths, runs, 4)
    seen = plan_status(plan, paths, NOW)
    text = printed(plan, seen, left_words(plan, paths, seen))
    lines = text.splitlines()
    assert "training 30 of 120" in lines[1]
    assert runs.id in lines[1], "what runs comes first"
    for part in ("node1 job 7", "1.5", "56 s", "4 s ago"):
        assert part in lines[1]
    assert all(cell.id in text for cell in cells_of(plan))
    assert "3 cells of preset demo: 1 running, 1 missing, 1 ok." in text
    assert "with 1 at a time." in text
    assert "next: cenbench status --preset demo --watch" in text


def test_a_cell_that_makes_no_progress_is_flagged(plan: Plan, paths: Paths) -> None:
    leave_beat(paths, cells_of(plan)[0], 1, progressed=NOW - 1200)
    assert "training 30 of 120; no progress for 20 min" in printed(plan, plan_status(plan, paths, NOW))


def test_a_narrow_terminal_still_shows_state_step_and_age(plan: Plan, paths: Paths) -> None:
    leave_beat(paths, cells_of(plan)[0], 4)
    console = Console(width=100)
    with console.capture() as capture:
        console.print(render_status(plan, plan_status(plan, paths, NOW), "", height=24, width=100))
    line = capture.get().splitlines()[1]
    for part in ("running", "training 30 of 120", "1.5", "56 s", "4 s ago"):
        assert part in line
    assert len(line) <= 100


def test_empty_columns_are_left_out(plan: Plan, paths: Paths) -> None:
    assert printed(plan, plan_status(plan, paths, NOW)).splitlines()[0].split() == ["cell", "state", "what"]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_ids_on_one_line_stay_distinct_and_keep_their_hash(width: int) -> None:
    """`status --watch` once cut ids at the end, which left lines that look alike."""
    plan = load_plan(REPOSITORY / "params", "study")
    cells = [CellStatus(cell_id, ("table7",), "missing", "not run yet", NOW) for cell_id in plan.cells]
    console = Console(width=width)
    with console.capture() as capture:
        console.print(render_status(plan, cells, "", height=2000, width=width))
    lines = capture.get().splitlines()[1 : len(cells) + 1]
    assert len({line.split()[0] for line in lines}) == len(cells)
    for cell_id, line in zip(plan.cells, lines, strict=True):
        assert line.split()[0].endswith(cell_id.rpartition(".")[2]), "commands accept the hash in place of the id"
        assert len(line.rstrip()) <= width


def test_words_that_all_ids_share_are_left_out_first() -> None:
    ids = ["rgb.exchange.l1-half.s1.aaaa", "rgb.exchange.l1-all.s1.bbbb"]
    assert short_ids(ids, 16) == ["l1-half.aaaa", "l1-all.bbbb"]
    assert short_ids(ids, 40) == ids
    assert short_ids(ids[:1], 12) == ["rgb.exc\N{HORIZONTAL ELLIPSIS}aaaa"]


def test_tables_that_nobody_asked_for_are_only_named(paths: Paths, plan: Plan) -> None:
    """After `make demo`, which makes three of six tables, the status once counted 118 missing cells."""
    for cell in plan.cells_of("table7"):
        publish_ok(paths, cell)
    output = Checkout(paths.root).run("python", "-m", "cenbench", "status")
    assert "2 cells of preset demo: 2 ok." in output
    assert "not started: table8 (1 more cell)" in output
    asked = Checkout(paths.root).run("python", "-m", "cenbench", "status", "--table", "table8")
    assert "1 cell of preset demo: 1 missing." in asked


def test_a_low_terminal_counts_the_cells_it_cannot_show() -> None:
    plan = load_plan(REPOSITORY / "params", "demo")
    cells = [CellStatus(cell_id, ("table7",), "missing", "not run yet", NOW) for cell_id in plan.cells]
    cells[-1] = replace(cells[-1], state="lost")
    text = printed(plan, cells, height=20)
    assert cells[-1].cell_id in text
    more = len(cells) - 12
    assert f"and {more} more ({more} missing)" in text
    assert len(text.splitlines()) < 20


def holder(paths: Paths, cell: Cell, **more: Any) -> Popen[str]:
    """A process of this host that beat for the cell, long ago unless told otherwise."""
    process = Popen(["sleep", "60"], text=True)
    leave_beat(paths, cell, **({"age_s": LOST_AFTER_S + 500} | more), host=socket.gethostname(), pid=process.pid)
    return process


@pytest.mark.parametrize("age_s", [1, LOST_AFTER_S + 500])
def test_a_stopped_process_of_this_host_is_reported_as_stopped(plan: Plan, paths: Paths, age_s: float) -> None:
    process = holder(paths, cells_of(plan)[0], age_s=age_s)
    try:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        cells = plan_status(plan, paths, NOW)
        assert cells[0].state == "stopped"
        assert f"process {process.pid}" in str(cells[0].reason)
        todo = f"resume it with kill -CONT {process.pid}, or end it with kill -KILL {process.pid}"
        assert todo in str(cells[0].reason)
        assert next_command(plan, cells) == todo
        assert f"next: {todo}" in printed(plan, cells)
        assert not all_ended(cells)
        process.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED)
        assert plan_status(plan, paths, NOW)[0].state == "running"
    finally:
        process.kill()
        process.wait()
    cells = plan_status(plan, paths, NOW)
    assert cells[0].state == "lost", "the next run takes it at once"
    assert "the next run resumes" in str(cells[0].reason)


def test_a_process_of_this_host_that_exists_without_beating_is_not_lost(plan: Plan, paths: Paths) -> None:
    """For example, on a full disk, which takes no heartbeat: the next run waits for it, or is refused."""
    process = holder(paths, cells_of(plan)[0])
    try:
        cell = plan_status(plan, paths, NOW)[0]
        assert cell.state == "running"
        assert f"no heartbeat for {LOST_AFTER_S + 500:.0f} s" in str(cell.reason)
    finally:
        process.kill()
        process.wait()


def test_another_process_with_the_same_pid_is_not_the_cells(plan: Plan, paths: Paths) -> None:
    process = holder(paths, cells_of(plan)[0], start="1.0")
    try:
        assert plan_status(plan, paths, NOW)[0].state == "lost"
    finally:
        process.kill()
        process.wait()


def test_next_command(plan: Plan) -> None:
    def after(*found: str) -> str:
        each: Any = [CellStatus("x", (), state, None, NOW, log=Path("a.log")) for state in found]  # type: ignore[arg-type]
        return next_command(plan, each)

    again = "snakemake all_tables --config preset=demo"
    assert after("ok", "skipped") == "cenbench show table7 --preset demo"
    assert after("ok", "lost").startswith(again)
    assert after("stale").startswith(again)
    assert after("missing", "running") == "cenbench status --preset demo --watch"
    assert after("failed", "ok").startswith(f"cenbench log 'x' --preset demo; then {again}")


def test_json_is_as_documented(plan: Plan, paths: Paths) -> None:
    leave_beat(paths, cells_of(plan)[0], 4)
    command = ("python", "-m", "cenbench", "status", "--json", "--root", str(paths.root))
    told = json.loads(Checkout(paths.root).run(*command))
    assert list(told) == ["format", "preset", "time", "counts", "cells"]
    assert told["counts"] == counts(plan_status(plan, paths, told["time"]))
    assert [cell["cell_id"] for cell in told["cells"]] == list(plan.cells)
    document = status_document(plan, plan_status(plan, paths, NOW), NOW)
    page = (REPOSITORY / "docs" / "status.md").read_text()
    for key in [*document, *document["counts"], *document["cells"][0]]:
        assert f"`{key}`" in page, f"docs/status.md does not explain {key}"


def test_a_cell_copied_while_it_runs_is_lost_in_the_copy(plan: Plan, paths: Paths, tmp_path: Path) -> None:
    cell, me = cells_of(plan)[0], this_process()
    mine = {"host": me.host, "pid": me.pid, "start": me.start}
    paths.state(cell).mkdir(parents=True)
    leave_beat(paths, cell, 1, **mine, folder=folder_id(paths.state(cell)))
    copy, moved = Paths(tmp_path / "copy"), Paths(tmp_path / "moved")
    shutil.copytree(paths.root, copy.root)
    in_copy = plan_status(plan, copy, NOW)[0]
    assert (in_copy.state, in_copy.reason) == (
        "lost",
        "the folder was copied while training; the next run resumes from the saved state",
    )
    assert plan_status(plan, paths, NOW)[0].state == "running"
    paths.root.rename(moved.root)
    assert plan_status(plan, moved, NOW)[0].state == "running"
    leave_beat(copy, cell, 1, **mine)
    assert plan_status(plan, copy, NOW)[0].state == "running", "an older version named no folder"


def test_watching_ends_when_every_cell_has_ended(plan: Plan, paths: Paths) -> None:
    for cell in cells_of(plan):
        publish_ok(paths, cell)
    assert all_ended(plan_status(plan, paths, NOW))
    output = Checkout(paths.root).run("python", "-m", "cenbench", "status", "--watch")
    assert "3 cells of preset demo: 3 ok." in output


def test_watching_shows_what_was_started_until_the_run_ends(
    plan: Plan, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside `make demo`, which makes some of the tables, it once showed the others' cells too, and never ended."""
    for cell in plan.cells_of("table7"):
        publish_ok(paths, cell)
    looks: list[str] = []
    with hold_working_directory(paths.root) as run:
        ends = lambda seconds: looks.append("run") if not looks else run.close()  # noqa: E731
        monkeypatch.setattr("cenbench.cli.status.time.sleep", ends)
        result = CliRunner().invoke(app, ["status", "--watch", "--root", str(paths.root)])
    assert looks == ["run"], "between two tables of a run, all cells that were started have ended"
    assert "2 cells of preset demo: 2 ok. Not started: 1 other table or figure." in result.output
    assert "missing" not in result.output


def test_ctrl_c_ends_watching(plan: Plan, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes while the command waits for its next look, where it spends nearly all its time."""
    monkeypatch.setattr("cenbench.cli.status.time.sleep", lambda seconds: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore it
    result = CliRunner().invoke(app, ["status", "--watch", "--root", str(paths.root)])
    assert result.exit_code == 0
    assert "3 missing" in result.output
    assert "Traceback" not in result.output


def test_mistakes_are_reported(paths: Paths) -> None:
    checkout = Checkout(paths.root)
    assert "has no table 'table5'" in checkout.run("python", "-m", "cenbench", "status", "--table", "table5", status=2)
    both = checkout.run("python", "-m", "cenbench", "status", "--json", "--watch", status=2)
    assert "--json and --watch exclude each other" in both
