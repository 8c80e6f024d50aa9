"""Work that one process does for all: others wait, and are told for whom and what to do if that one is stopped."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from held_lock import holding

from cenbench.work_lock import PATIENCE_S, work_lock

HOLD = "import sys, time; from pathlib import Path; from cenbench.work_lock import work_lock\n"
HOLD += "with work_lock(Path(sys.argv[1]), 'a cake'):\n    print('held', flush=True)\n    time.sleep(60)\n"


def hold(path: Path) -> subprocess.Popen[str]:
    return holding(HOLD, path)


def wait_in_a_thread(path: Path, caplog: pytest.LogCaptureFixture) -> threading.Thread:
    """A thread that waits for the lock, once it has said so."""

    def wait() -> None:
        with work_lock(path, "a cake", patience_s=0.0):
            pass

    thread = threading.Thread(target=wait)
    thread.start()
    await_words(caplog, 1)
    return thread


def await_words(caplog: pytest.LogCaptureFixture, count: int) -> None:
    end = time.monotonic() + 30
    while len(caplog.messages) < count:
        assert time.monotonic() < end, caplog.messages
        time.sleep(0.01)


def test_who_waits_is_told_for_whom_and_once_more_when_that_process_is_stopped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = hold(tmp_path / "lock")
    try:
        thread = wait_in_a_thread(tmp_path / "lock", caplog)
        time.sleep(1.5)  # one more look, at least
        process.send_signal(signal.SIGSTOP)
        await_words(caplog, 2)
    finally:
        process.kill()
        process.wait()
    thread.join()
    first, second = caplog.messages
    assert first.startswith(f"waiting for a cake: process {process.pid} on ")
    assert "stopped" not in first
    assert f"is stopped; resume it with kill -CONT {process.pid}, or end it with kill -KILL {process.pid}" in second
    assert all(str(tmp_path / "lock") in words for words in caplog.messages)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"host": "a", "pid": 0}', "\0" * 10])
def test_a_lock_that_does_not_say_whose_it_is_is_waited_for_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    path = tmp_path / "lock"
    process = hold(path)
    path.write_text(content)
    try:
        thread = wait_in_a_thread(path, caplog)
    finally:
        process.kill()
        process.wait()
    thread.join()
    assert "waiting for a cake: another process is working on it" in caplog.text


def test_short_waits_are_not_worth_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert PATIENCE_S >= 1
    process = hold(tmp_path / "lock")
    threading.Timer(0.2, process.kill).start()
    with caplog.at_level(logging.DEBUG), work_lock(tmp_path / "lock", "a cake"):
        process.wait()
    assert not caplog.messages
