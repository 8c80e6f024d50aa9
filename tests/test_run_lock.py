"""One run of a cell at a time, and no lock outlives the process that held it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cenbench.errors import UserError
from cenbench.run.lock import cell_lock

HOLD = "import sys, time; from pathlib import Path; from cenbench.run.lock import cell_lock\n"
HOLD += "with cell_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"


def hold(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_second_run_is_told_who_holds_the_cell(tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        with pytest.raises(UserError, match="already being run") as caught, cell_lock(tmp_path):
            pass
        assert str(process.pid) in str(caught.value.found)
        assert str(tmp_path / "lock") in str(caught.value)
    finally:
        process.kill()
        process.wait()


def test_kill_9_leaves_no_stale_lock(tmp_path: Path) -> None:
    process = hold(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with cell_lock(tmp_path):
        pass
