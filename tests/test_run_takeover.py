"""A run that was stopped for longer than others wait for it, and taken over, writes nothing when it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import REPOSITORY, Checkout
from faults import KILLS, Tally

from cenbench.errors import TakenOver, UserError
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.run.heartbeat import FILE, Heartbeat, read_beat
from cenbench.run.lock import cell_lock

BEAT_S = 0.05
STOPS = (4, 55) if KILLS < 100 else range(1, 60, 2)
"""Before which of its writes a run is stopped: the first saves of its state, the end of the training, publishing."""


def files(root: Path) -> dict[str, tuple[int, bytes]]:
    """Name -> time of change and content of all results."""
    found = (path for path in (root / "results").rglob("*") if path.is_file())
    return {str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def run(root: Path, cell_id: str, who: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(REPOSITORY / "tests" / "taken_over.py"), str(root), cell_id, who, str(BEAT_S)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("number", STOPS)
def test_a_run_that_was_taken_over_while_stopped_writes_nothing(
    checkout: Checkout, number: int, faults: Callable[[str], Tally]
) -> None:
    paths = Paths(checkout.root)
    cell = next(cell for cell in load_plan(paths.params, "demo").cells.values() if cell.task.kind == "segmentation")
    first = run(checkout.root, cell.id, str(number))
    with faults("a run stopped (SIGSTOP), taken over, and resumed").one():
        try:
            stopped = os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            assert stopped.si_code == os.CLD_STOPPED, first.communicate()[0]
            second = run(checkout.root, cell.id, "elsewhere")
            output, _ = second.communicate(timeout=300)
            assert second.returncode == 0, output
            assert "taking over from process" in output
            assert read_record(paths, cell).state == "ok"
            before = files(checkout.root)
        finally:
            first.send_signal(signal.SIGCONT)
        output, _ = first.communicate(timeout=300)
        assert first.returncode == 2, output
        assert "another process took over this cell" in output
        assert "on elsewhere" in output
        assert "Traceback" not in output
        assert files(checkout.root) == before


def test_every_holder_writes_a_higher_number(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        with cell_lock(tmp_path) as lock:
            assert json.loads((tmp_path / "lock").read_text())["number"] == number
            lock.check()


@pytest.mark.parametrize("damage", ["", "{", "null", '{"number": "x"}', "[" * 300])
def test_a_damaged_lock_is_not_this_runs_and_the_next_run_takes_it(tmp_path: Path, damage: str) -> None:
    with cell_lock(tmp_path) as lock:
        (tmp_path / "lock").write_text(damage)
        with pytest.raises(TakenOver):
            lock.check()
    with cell_lock(tmp_path) as lock:
        lock.check()


def test_a_removed_lock_is_not_this_runs(tmp_path: Path) -> None:
    """Without the file, another run locks another one and does not see this one."""
    with cell_lock(tmp_path) as lock:
        (tmp_path / "lock").unlink()
        with cell_lock(tmp_path) as other, pytest.raises(TakenOver) as caught:
            other.check()
            lock.check()
        assert f"process {os.getpid()}" in str(caught.value.found)


def test_a_heartbeat_that_was_taken_over_leaves_the_others_alone(tmp_path: Path) -> None:
    held = True
    with Heartbeat(tmp_path, "first", beat_s=0.01, is_held=lambda: held):
        assert read_beat(tmp_path).cell_id == "first"
        held = False
        with Heartbeat(tmp_path, "second", beat_s=60):
            time.sleep(0.1)
            other = (tmp_path / FILE).read_bytes()
    assert b"second" in other


def test_the_end_of_a_taken_over_heartbeat_removes_nothing(tmp_path: Path) -> None:
    held = True
    with Heartbeat(tmp_path, "first", beat_s=60, is_held=lambda: held):
        held = False
        (tmp_path / FILE).write_text("the other's")
    assert (tmp_path / FILE).read_text() == "the other's"


def test_a_run_that_waits_accepts_what_the_other_published(finished: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake deletes the outputs of a job that fails, and they are the other's."""
    from cenbench.run import cell as run_cell_module

    paths = Paths(finished.root)
    cell = next(iter(load_plan(paths.params, "demo").cells.values()))
    record = paths.record(cell)

    def taken_over(*_: object) -> None:
        raise TakenOver("another process took over this cell")

    monkeypatch.setattr(run_cell_module, "bring_to_record", taken_over)
    before = record.stat().st_mtime_ns, record.read_bytes()
    run_cell_module.run_cell(cell, paths, "cpu", wait=True)
    assert (record.stat().st_mtime_ns, record.read_bytes()) == before
    with pytest.raises(TakenOver):
        run_cell_module.run_cell(cell, paths, "cpu")
    record.unlink()
    with pytest.raises(TakenOver):
        run_cell_module.run_cell(cell, paths, "cpu", wait=True)


def test_of_two_runs_that_do_not_see_other_one_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both start at once on a file system whose locks reach nobody."""
    import fcntl

    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    barrier, held = threading.Barrier(2), []

    def hold() -> None:
        barrier.wait()
        with cell_lock(tmp_path) as lock:
            time.sleep(0.2)
            held.append(lock.is_held())

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held) in ([False, True], [False, False])


def test_a_stopped_holder_is_named_with_what_to_do(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from cenbench.run.lock import cell_lock\n"
    code += "with cell_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    try:
        with pytest.raises(UserError) as caught, cell_lock(tmp_path):
            pass
        assert "it is stopped" in str(caught.value.found)
        assert caught.value.fix == f"resume it with kill -CONT {process.pid}, or end it with kill -KILL {process.pid}"
    finally:
        process.kill()
        process.communicate()
