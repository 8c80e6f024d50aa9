"""Runs one cell of a checkout, and stops itself (SIGSTOP) before the write whose number is given.

    python tests/taken_over.py CHECKOUT CELL NUMBER BEAT_S      a run that stops before its NUMBERth write or log line
    python tests/taken_over.py CHECKOUT CELL elsewhere BEAT_S   a run on another host, which sees no kernel locks

Stopping before a write stands for a pause that began at any time since the write before it. The first run prints the
number of its writes.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.run.cell import run_cell
from cenbench.run.lock import CellLock
from cenbench.train import loop


def main(root: Path, cell_id: str, who: str, beat_s: float) -> None:
    loop.SAVE_EVERY_S, loop.SAVE_SHARE = 0.0, 1e9  # save at every line of the history
    if who == "elsewhere":
        socket.gethostname = lambda: "elsewhere"
        fcntl.flock = lambda *_: None
    else:
        stop_before_write(int(who))
    paths = Paths(root)
    cell = load_plan(paths.params, "demo").cell(cell_id)
    try:
        run_cell(cell, paths, "cpu", beat_s=beat_s)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(2) from None


def stop_before_write(number: int) -> None:
    """Stop this process when it asks for the NUMBERth time whether it may write."""
    asked, check = 0, CellLock.check

    def checked(lock: CellLock) -> None:
        nonlocal asked
        asked += 1
        if asked == number:
            os.kill(os.getpid(), signal.SIGSTOP)
        check(lock)

    CellLock.check = checked


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]))
