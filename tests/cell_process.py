"""Runs one cell in forked processes that die at a chosen instant: torch is imported once, not once a death.

    python tests/cell_process.py CHECKOUT CELL DEATHS...

Each DEATHS, e.g. `3,0`, is a folder of its own: a run killed before its third durable write (fsync), then one that is
left to finish. A run that finishes prints how many durable writes it made.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from cenbench.matrix.plan import load_plan
from cenbench.run import cell as run
from cenbench.run.paths import Paths
from cenbench.train import loop


def main(checkout: Path, cell_id: str, plans: list[str]) -> None:
    torch.set_num_threads(1)
    for deaths in plans:
        root = checkout / deaths
        shutil.copytree(checkout / "params", root / "params")
        (root / "data").symlink_to(checkout / "data")
        for death in deaths.split(","):
            status = in_child(root, cell_id, int(death))
            expected = -signal.SIGKILL if int(death) else 0
            if status != expected:
                sys.exit(f"{deaths}: ended with {status}, not {expected}")


def in_child(root: Path, cell_id: str, death: int) -> int:
    """Run the cell in a fork; its exit status, negative for a signal."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = die_before_fsync(death)
    loop.SAVE_EVERY_S, loop.SAVE_SHARE = 0.0, 1e9  # save at every line of the history
    paths = Paths(root)
    run.run_cell(load_plan(paths.params, "demo").cell(cell_id), paths, "cpu")
    print(count(), flush=True)
    os._exit(0)


def die_before_fsync(number: int) -> Callable[[], int]:
    """Arrange it; the function returned says how many there were so far."""
    calls, real = 0, os.fsync

    def fsync(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        real(handle)

    os.fsync = fsync
    return lambda: calls


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
