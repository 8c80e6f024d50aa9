"""Runs one cell in forked processes that meet a fault at a chosen instant: torch is imported once, not once a fault.

    python tests/cell_process.py CHECKOUT CELL PLAN...

Each PLAN is a folder of its own and a list of runs there, one after the other: `3` dies before its third durable moment
(an fsync or a rename), `full3` finds the disk full at it, `at0.4` is killed from outside after that share of an
undisturbed run's time, `0` is left to finish. A run trains the cell, publishes it and renders the report. A line of JSON
for each PLAN says how many durable moments its last run had; `killed` is false where `at` came after the end.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan
from cenbench.report.pages import render_index, render_tables
from cenbench.run import cell as run
from cenbench.run.paths import Paths
from cenbench.run.record import read_record
from cenbench.train import loop

FULL_STATUS = 2


def main(checkout: Path, cell_id: str, plans: list[str]) -> None:
    torch.set_num_threads(1)
    undisturbed_s = 0.0
    for plan in plans:
        root = checkout / plan
        shutil.copytree(checkout / "params", root / "params")
        (root / "data").symlink_to(checkout / "data")
        killed = True
        for fault in plan.split(","):
            start = time.monotonic()
            status, moments = in_child(root, cell_id, fault, undisturbed_s)
            if plan == "0":
                undisturbed_s = time.monotonic() - start
            expected = 0 if fault == "0" else FULL_STATUS if fault.startswith("full") else -signal.SIGKILL
            if fault.startswith("at") and status == 0:
                killed = False
            elif status != expected:
                sys.exit(f"{plan}: ended with {status}, not {expected}")
        print(json.dumps({"plan": plan, "moments": moments, "killed": killed}), flush=True)


def in_child(root: Path, cell_id: str, fault: str, undisturbed_s: float) -> tuple[int, int]:
    """Run the cell in a fork; its exit status, negative for a signal, and how many durable moments it had."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        if fault.startswith("at"):
            time.sleep(float(fault.removeprefix("at")) * undisturbed_s)
            os.kill(child, signal.SIGKILL)
        with os.fdopen(reader) as said:
            moments = int(said.read() or 0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), moments
    os.close(reader)
    number = 0 if fault.startswith("at") else int(fault.removeprefix("full"))
    count = at_moment(number, fill_disk if fault.startswith("full") else die)
    loop.SAVE_EVERY_S, loop.SAVE_SHARE = 0.0, 1e9  # save at every line of the history
    status = 0
    try:
        train_and_render(root, cell_id)
    except UserError as error:
        status = FULL_STATUS if "no room to write" in str(error) and "same command again" in str(error) else 1
        print(error, file=sys.stderr, flush=True)
    os.write(writer, str(count()).encode())
    os._exit(status)


def train_and_render(root: Path, cell_id: str) -> None:
    paths = Paths(root)
    plan = load_plan(paths.params, "demo")
    cell = plan.cell(cell_id)
    run.run_cell(cell, paths, "cpu")
    tables = plan.tables_of(cell_id)
    records = {each.id: read_record(paths, each) for each in plan.cells.values()}
    render_tables(plan, tables, records, paths.reports)
    render_index(plan, tables, paths.reports)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def at_moment(number: int, fault: Callable[[], None]) -> Callable[[], int]:
    """Arrange the fault before the durable moment of that number; what is returned says how many there were so far."""
    moments = 0

    def before(real: Callable[..., None]) -> Callable[..., None]:
        def moment(*arguments: object) -> None:
            nonlocal moments
            moments += 1
            if moments == number:
                fault()
            real(*arguments)

        return moment

    os.fsync, os.replace = before(os.fsync), before(os.replace)
    return lambda: moments


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
