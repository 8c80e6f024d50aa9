"""A process is known by its start as the kernel counts it, which no change of the clock moves."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cenbench import process as processes
from cenbench.process import Process, this_process


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose name could be taken for fields of /proc/PID/stat."""
    code = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'a) S 1 2 (b', 0, 0, 0)\n"
    code += "print('named', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def of(child: subprocess.Popen[bytes]) -> Process:
    return dataclasses.replace(this_process(), pid=child.pid, start=processes._start(child.pid))


def test_a_process_is_running_stopped_and_ended(child: subprocess.Popen[bytes]) -> None:
    process = of(child)
    assert process.fate == "running"
    child.send_signal(signal.SIGSTOP)
    end = time.monotonic() + 10
    while process.fate != "stopped":
        assert time.monotonic() < end
    child.kill()
    child.wait()
    assert process.fate == "ended"


def test_a_clock_that_is_set_changes_nothing(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """psutil's time of start is the time of boot, which moves with the clock, plus what the kernel counted since."""
    process = of(child)
    was = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: was(self) + 3600)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert process.fate == "running"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
def test_the_start_is_the_one_that_psutil_finds(child: subprocess.Popen[bytes]) -> None:
    ticks = int(processes._start(child.pid).split()[1])
    since_boot_s = psutil.Process(child.pid).create_time() - psutil.boot_time()
    assert ticks == pytest.approx(since_boot_s * 100, abs=150), "boot_time is in whole seconds"


def test_a_process_of_another_boot_or_start_has_ended(child: subprocess.Popen[bytes]) -> None:
    process = of(child)
    boot, _, ticks = str(process.start).partition(" ")
    assert dataclasses.replace(process, start=f"{boot} {int(ticks) + 1}").fate == "ended"
    assert dataclasses.replace(process, start=f"another {ticks}").fate == "ended"
    assert dataclasses.replace(process, start=None).fate == "running", "files of older versions have none"


def test_without_proc_the_kernels_note_of_the_time_is_used(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "_BOOT_ID", tmp_path / "none")
    process = of(child)
    assert process.start == repr(psutil.Process(child.pid).create_time())
    assert process.fate == "running"


def test_a_process_of_another_host_is_unknown(child: subprocess.Popen[bytes]) -> None:
    assert dataclasses.replace(of(child), host="elsewhere").fate == "unknown"
