"""A lock is held from the first line of its block to the last, by one process, and dies with it."""

from __future__ import annotations

import errno
import fcntl
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from held_lock import holding

from cenbench.errors import UserError
from cenbench.file_lock import file_lock

HOLD = "import sys, time; from pathlib import Path; from cenbench.file_lock import file_lock\n"
HOLD += "with file_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(float(sys.argv[2]))\n"


def hold(path: Path, seconds: float = 60) -> subprocess.Popen[str]:
    return holding(HOLD, path, seconds)


def test_a_lock_of_another_process_is_waited_for_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    process = hold(path, 1.0)
    with pytest.raises(BlockingIOError), file_lock(path, wait=False):
        pass
    with file_lock(path):
        # The other process printed and then slept a second before it let go; it may still be on its way out.
        assert process.wait(timeout=60) == 0


def test_a_killed_process_leaves_the_lock_free(tmp_path: Path) -> None:
    process = hold(tmp_path / "lock")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with file_lock(tmp_path / "lock", wait=False):
        pass


def test_blocks_never_overlap_and_an_error_inside_releases_the_lock(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with file_lock(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.002)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    with pytest.raises(ZeroDivisionError), file_lock(tmp_path / "lock"):
        raise ZeroDivisionError
    with file_lock(tmp_path / "lock", wait=False):
        pass


def test_what_is_in_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("who held it last")
    with file_lock(path) as file:
        file.seek(0)
        assert file.read() == b"who held it last"
        file.truncate(0)
        file.write(b"me")
    assert path.read_text() == "me"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match="does not support locks") as caught, file_lock(tmp_path / "lock"):
        pass
    assert "cenbench doctor" in str(caught.value.fix)


def test_only_one_module_takes_locks() -> None:
    """Every other lock of the package goes through it; the doctor tests the kernel's own call."""
    package = Path(__file__).parents[1] / "cenbench"
    users = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if "fcntl" in path.read_text()}
    assert users == {"file_lock.py", "doctor/filesystem.py"}
