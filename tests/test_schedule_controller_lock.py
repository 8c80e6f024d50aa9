"""One controller per working directory: a second is refused; locks are removed only after their holder has ended."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from refusing_files import without_modes_or_syncing

from cenbench.errors import UserError
from cenbench.file_lock import file_lock
from cenbench.process import this_process
from cenbench.run.lock import cell_lock
from cenbench.schedule.controller_lock import controller_elsewhere, controller_file, hold_working_directory

HOLD = """
import sys, time
from pathlib import Path
from cenbench.errors import UserError
from cenbench.schedule.controller_lock import hold_working_directory
print("ready", flush=True)
sys.stdin.readline()
try:
    hold = hold_working_directory(Path(sys.argv[1]))
    print("held", flush=True)
    time.sleep(60)
except UserError as error:
    print("refused", str(error).replace(chr(10), " "), flush=True)
"""


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """A lock of Snakemake's own, as kill -9 leaves it."""
    path = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def controller(root: Path) -> subprocess.Popen[str]:
    """A process that will try to hold `root` once it gets a line."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(root)], **pipes)
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip()


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def claim(root: Path, **changes: object) -> Path:
    """The claim of a controller, as kill -9 leaves it."""
    me = this_process()
    process = {"host": me.host, "pid": me.pid, "start": me.start} | changes
    path = root / ".snakemake" / "controller.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"process": process, "since": "2026-01-02T03:04:05+0000"}))
    return path


def test_a_killed_controllers_locks_are_removed(tmp_path: Path, stale: Path) -> None:
    process = controller(tmp_path)
    go(process)
    assert said(process) == "held"
    end(process)
    with hold_working_directory(tmp_path):
        assert not stale.exists()
        stale.touch()  # the live controller's
        assert str(os.getpid()) in (tmp_path / ".snakemake" / "controller.json").read_text()
    assert not (tmp_path / ".snakemake" / "controller.json").exists()


def test_a_second_controller_is_refused_with_host_pid_and_time_of_the_first(tmp_path: Path, stale: Path) -> None:
    process = controller(tmp_path)
    go(process)
    assert said(process) == "held"
    stale.touch()
    before = {path: path.read_bytes() for path in (tmp_path / ".snakemake").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="already running in this folder") as caught:
        hold_working_directory(tmp_path)
    assert f"process {process.pid} on {socket.gethostname()}, since 20" in str(caught.value.found)
    assert {path: path.read_bytes() for path in (tmp_path / ".snakemake").rglob("*") if path.is_file()} == before
    end(process)


def test_a_stopped_controller_is_not_a_dead_one(tmp_path: Path, stale: Path) -> None:
    process = controller(tmp_path)
    go(process)
    assert said(process) == "held"
    stale.touch()
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    with pytest.raises(UserError) as caught:
        hold_working_directory(tmp_path)
    assert "(stopped)" in str(caught.value.found)
    assert f"kill -CONT {process.pid}" in str(caught.value.fix)
    assert stale.exists()
    end(process)


def test_of_controllers_that_start_at_once_exactly_one_works(tmp_path: Path) -> None:
    """Four races: three processes are ready, then told to go."""
    processes = [controller(tmp_path / str(race)) for race in range(4) for _ in range(3)]
    for race in range(4):
        for process in processes[3 * race : 3 * race + 3]:
            go(process)
    heard = [said(process).split()[0] for process in processes]
    end(*processes)
    for race in range(4):
        assert sorted(heard[3 * race : 3 * race + 3]) == ["held", "refused", "refused"]


def test_a_copy_of_a_held_folder_is_free_and_a_moved_one_is_held(tmp_path: Path) -> None:
    work, copy, moved = tmp_path / "work", tmp_path / "copy", tmp_path / "moved"
    process = controller(work)
    go(process)
    assert said(process) == "held"
    try:
        shutil.copytree(work, copy)
        shutil.copytree(work, tmp_path / "twin")
        lock = copy / ".snakemake" / "locks" / "0.output.lock"
        lock.parent.mkdir()
        lock.touch()
        assert controller_elsewhere(copy) is None
        with hold_working_directory(copy):
            assert not lock.exists(), "it came with the copy"
            assert controller_elsewhere(copy) is not None
        with file_lock(controller_file(tmp_path / "twin")), pytest.raises(UserError) as caught:
            hold_working_directory(tmp_path / "twin")
        assert "has not identified itself" in str(caught.value.found), "whoever holds the copy, it is not the first"
        work.rename(moved)
        with pytest.raises(UserError) as caught:
            hold_working_directory(moved)
        assert f"process {process.pid} on" in str(caught.value.found)
        assert controller_elsewhere(moved) is not None
    finally:
        end(process)


def test_a_claim_of_another_host_is_refused_with_the_command_that_clears_it(tmp_path: Path, stale: Path) -> None:
    path = claim(tmp_path, host="another-host", pid=4321)
    with pytest.raises(UserError) as caught:
        hold_working_directory(tmp_path)
    assert "process 4321 on another-host, since 2026-01-02T03:04:05+0000" in str(caught.value.found)
    assert stale.exists()
    assert path.exists()
    assert str(controller_elsewhere(tmp_path)) == str(caught.value.found)
    command = str(caught.value.fix).partition("another-host: ")[2]
    subprocess.run(["bash", "-c", command], check=True)
    with hold_working_directory(tmp_path):
        assert not stale.exists()


def test_a_live_process_that_holds_no_lock_is_not_a_dead_one(tmp_path: Path, stale: Path) -> None:
    """The kernel's lock is free, as on a file system that keeps none, but the process in the claim lives."""
    claim(tmp_path, pid=os.getppid(), start=None)
    with pytest.raises(UserError):
        hold_working_directory(tmp_path)
    assert stale.exists()


def test_another_process_with_the_pid_of_a_dead_controller_is_not_taken_for_it(tmp_path: Path, stale: Path) -> None:
    claim(tmp_path, pid=os.getppid(), start="1.0")
    assert controller_elsewhere(tmp_path) is None
    with hold_working_directory(tmp_path):
        assert not stale.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": {"host": 1}}', "\0"])
def test_a_claim_that_cannot_be_read_is_of_an_unknown_holder(tmp_path: Path, stale: Path, text: str) -> None:
    claim(tmp_path).write_text(text)
    with pytest.raises(UserError) as caught:
        hold_working_directory(tmp_path)
    assert "has not identified itself" in str(caught.value.found)
    assert "rm -f" in str(caught.value.fix)
    assert stale.exists()


def test_locks_of_an_unrecorded_holder_are_left_alone(tmp_path: Path, stale: Path) -> None:
    """`snakemake --touch` locks without a claim; Snakemake itself reports the lock."""
    with hold_working_directory(tmp_path):
        assert stale.exists()


def test_without_hard_links_a_claim_is_still_exclusive(
    tmp_path: Path, stale: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    claim(tmp_path, host="another-host")
    with pytest.raises(UserError, match="already running"):
        hold_working_directory(tmp_path)
    (tmp_path / ".snakemake" / "controller.json").unlink()
    with hold_working_directory(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".snakemake" / "controller.json").read_text()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    controller_file(tmp_path).mkdir(parents=True)  # root writes through any mode, but not into a directory
    with pytest.raises(UserError, match="controller cannot be accessed: Is a directory"):
        hold_working_directory(tmp_path)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_without_modes_or_syncing_can_be_worked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    without_modes_or_syncing(monkeypatch, number)
    with hold_working_directory(tmp_path), cell_lock(tmp_path / "cell"):
        pass
