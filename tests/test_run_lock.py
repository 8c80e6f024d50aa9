"""One run per cell at a time, on one host or several; no lock outlives the process that held it."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from held_lock import holding

from cenbench.errors import UserError
from cenbench.file_lock import file_lock
from cenbench.files import write_json
from cenbench.run.heartbeat import FILE, Beat
from cenbench.run.lock import cell_lock

HOLD = "import sys, time; from pathlib import Path; from cenbench.run.lock import cell_lock\n"
HOLD += "with cell_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"


def hold(folder: Path) -> subprocess.Popen[str]:
    return holding(HOLD, folder)


def test_a_second_run_reports_who_holds_the_cell(tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        with pytest.raises(UserError, match="already being run") as caught, cell_lock(tmp_path):
            pass
        assert str(process.pid) in str(caught.value.found)
        assert str(tmp_path / "lock") in str(caught.value)
    finally:
        process.kill()
        process.wait()


def test_the_holder_of_a_copy_is_not_named_after_that_of_the_first(tmp_path: Path) -> None:
    process = hold(tmp_path / "first")
    try:
        shutil.copytree(tmp_path / "first", tmp_path / "copy")
        with file_lock(tmp_path / "copy" / "lock"), pytest.raises(UserError) as caught, cell_lock(tmp_path / "copy"):
            pass
        assert "has not identified itself" in str(caught.value.found)
        with cell_lock(tmp_path / "copy"):
            pass
    finally:
        process.kill()
        process.wait()


def test_kill_9_leaves_no_stale_lock(tmp_path: Path) -> None:
    process = hold(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with cell_lock(tmp_path):
        pass


def beat_of(folder: Path, *, host: str, age_s: float) -> Beat:
    """Leave the heartbeat that a process on `host` wrote `age_s` seconds ago, with a free lock."""
    then = time.time() - age_s
    beat = Beat("a-cell", "training", host, host, 4321, "77", then - 60, then, then, step=5, total=10)
    write_json(folder / FILE, asdict(beat))
    return beat


def test_a_fresh_heartbeat_of_another_host_holds_the_cell_even_if_the_lock_is_free(tmp_path: Path) -> None:
    beat_of(tmp_path, host="elsewhere", age_s=4)
    with pytest.raises(UserError, match="already being run") as caught, cell_lock(tmp_path):
        pass
    assert "process 4321 on elsewhere, Slurm job 77" in str(caught.value.found)
    assert not (tmp_path / "lock").read_text(), "only the holder writes into the lock"


def test_the_stale_lock_of_a_dead_host_is_taken_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beat_of(tmp_path, host="elsewhere", age_s=31)
    with caplog.at_level(logging.WARNING, "cenbench"), cell_lock(tmp_path, beat_s=0.05):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()
    assert "taking over from process 4321 on elsewhere" in caplog.text


@pytest.mark.parametrize("skew_s", [-3600, 3600])
def test_a_live_process_whose_clock_is_wrong_still_holds_the_cell(tmp_path: Path, skew_s: float) -> None:
    """Its beats look an hour old, or from the future, but they keep coming."""
    beat_of(tmp_path, host="elsewhere", age_s=skew_s)
    later = threading.Timer(0.1, beat_of, args=(tmp_path,), kwargs={"host": "elsewhere", "age_s": skew_s - 1})
    later.start()
    with pytest.raises(UserError, match="already being run"), cell_lock(tmp_path, beat_s=0.5):
        pass
    later.join()


def test_waiting_ends_when_the_other_host_ends(tmp_path: Path) -> None:
    beat_of(tmp_path, host="elsewhere", age_s=0)
    ended = threading.Timer(0.3, (tmp_path / FILE).unlink)
    ended.start()
    start = time.monotonic()
    with cell_lock(tmp_path, wait=True, beat_s=0.1):
        assert time.monotonic() - start > 0.2
    ended.join()


def test_waiting_ends_when_the_other_host_stops_beating(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    beat_of(tmp_path, host="elsewhere", age_s=0)
    with caplog.at_level(logging.INFO, "cenbench"), cell_lock(tmp_path, wait=True, beat_s=0.05):
        pass
    assert "waiting until it ends" in caplog.text
    assert "taking over" in caplog.text


def test_on_one_host_the_kernels_lock_decides_at_once(tmp_path: Path) -> None:
    """A run killed a second ago left a fresh beat; its lock is free, so the next run need not wait."""
    beat_of(tmp_path, host=socket.gethostname(), age_s=1)
    with cell_lock(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"cell_id": "x"}', b"\xff"])
def test_a_damaged_heartbeat_does_not_hold_the_cell(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    with cell_lock(tmp_path):
        pass


@pytest.mark.parametrize(("key", "value"), [("updated", "noon"), ("host", 3), ("phase", "dreaming"), ("pid", None)])
def test_a_heartbeat_with_an_invalid_value_does_not_hold_the_cell(tmp_path: Path, key: str, value: object) -> None:
    beat = asdict(beat_of(tmp_path, host="elsewhere", age_s=1))
    write_json(tmp_path / FILE, {**beat, key: value})
    with cell_lock(tmp_path):
        pass


def test_the_lock_names_the_slurm_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with (
        cell_lock(tmp_path),
        pytest.raises(UserError, match=r"Slurm job 4711, since"),
        cell_lock(tmp_path),
    ):
        pass


def test_a_file_system_without_locks_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match="does not support locks") as caught, cell_lock(tmp_path):
        pass
    assert "cenbench doctor" in str(caught.value.fix)
