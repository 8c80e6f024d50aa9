"""Runs one cell in forked processes with a fault at a chosen moment: imports are done once, not once per fault.

    python tests/cell_process.py CHECKOUT CELL PLAN...

Each PLAN is a folder of its own and a list of runs there, one after the other: `die3` dies before its third durable
moment (an fsync or a rename), `full3` finds the disk full at it, `at0.4` is killed from outside after that share of an
undisturbed run's time, `whole` is left to finish. A run trains the cell, publishes it and renders the report. Negative
numbers count from the last moment; the first PLAN is `whole`. A line of JSON for each PLAN holds the exit status of its
runs (negative: a signal), how many durable moments the last one had, and what was printed on the way.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cenbench import sha256_cache
from cenbench.errors import UserError
from cenbench.evaluate import segmentation, translation  # noqa: F401 - imported here, once
from cenbench.files import write_json
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.report.environment import latex_templates, page_templates
from cenbench.report.pages import render_index, render_pages
from cenbench.run import cell as run
from cenbench.train import loop

USER_ERROR = 2


def main(checkout: Path, cell_id: str, plans: list[str]) -> None:
    torch.set_num_threads(1)
    for environment, ending in ((page_templates(), "html"), (latex_templates(), "tex")):
        for name in environment.list_templates(extensions=[ending]):
            environment.get_template(name)  # compiled here, once
    whole = Whole()
    for plan in plans:
        root = fresh(checkout, plan)
        start = time.monotonic()
        ends = [in_child(root, cell_id, fault, whole) for fault in plan.split(",")]
        seconds = whole.seconds
        while plan.startswith("at") and ends[0][0] == 0:  # it ended before: the machine has become faster
            seconds *= 0.7
            root = fresh(checkout, plan)
            ends = [in_child(root, cell_id, fault, Whole(seconds)) for fault in plan.split(",")]
        if plan == "whole":
            whole = Whole(time.monotonic() - start, ends[-1][1])
        said = (root / "said").read_text()
        print(json.dumps({"plan": plan, "ends": [end for end, _ in ends], "moments": ends[-1][1], "said": said}))


def fresh(checkout: Path, plan: str) -> Path:
    """A folder for the plan that holds only params and data."""
    root = checkout / plan
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(checkout / "params", root / "params")
    (root / "data").symlink_to(checkout / "data")
    return root


@dataclass
class Whole:
    """An undisturbed run: its time, and how many durable moments it had."""

    seconds: float = 0.0
    moments: int = 0


def in_child(root: Path, cell_id: str, fault: str, whole: Whole) -> tuple[int, int]:
    """Run the cell in a fork; returns its exit status (negative for a signal) and how many durable moments it had."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        if fault.startswith("at"):
            time.sleep(float(fault.removeprefix("at")) * whole.seconds)
            os.kill(child, signal.SIGKILL)
        with os.fdopen(reader) as said:
            moments = int(said.read() or 0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), moments
    os.close(reader)
    said_by_child = os.open(root / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said_by_child, sys.stderr.fileno())
    kind, number = re.fullmatch(r"(die|full|at|whole)([-.\d]*)", fault).groups()
    place = int(number) if kind in ("die", "full") else 0
    count = at_moment(place if place >= 0 else whole.moments + 1 + place, die if kind == "die" else fill_disk)
    loop.SAVE_EVERY_S, loop.SAVE_SHARE = 0.0, 1e9  # save at every line of the history
    status = 0
    try:
        train_and_render(root, cell_id)
    except UserError as error:
        status = USER_ERROR
        print(error, file=sys.stderr, flush=True)
    except BaseException:
        status = 1
        traceback.print_exc()
    os.write(writer, str(count()).encode())
    os._exit(status)


def train_and_render(root: Path, cell_id: str) -> None:
    paths = Paths(root)
    plan = load_plan(paths.params, "demo")
    cell = plan.cell(cell_id)
    run.run_cell(cell, paths, "cpu")
    tables = plan.tables_of(cell_id)
    records = {each.id: read_record(paths, each) for each in plan.cells.values()}
    render_pages(plan, records, paths.reports, tables=tables)
    render_index(plan, tables, paths.reports)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def at_moment(number: int, fault: Callable[[], None]) -> Callable[[], int]:
    """Arrange the fault before that durable moment, counted from 1; the returned function counts the moments so far."""
    moments, noting = 0, False

    def before(real: Callable[..., None]) -> Callable[..., None]:
        def moment(*arguments: object) -> None:
            nonlocal moments
            heartbeat = threading.current_thread() is not threading.main_thread() or "heartbeat" in str(arguments[-1])
            optional = heartbeat or noting  # nothing depends on these; heartbeats also come at any time
            moments += not optional
            if moments == number and not optional:
                fault()
            real(*arguments)

        return moment

    def noted(path: Path, note: object) -> None:
        nonlocal noting
        noting = True
        try:
            write_json(path, note)
        finally:
            noting = False

    # What a killed process wrote is in the page cache: no run has to wait for the disk.
    os.fsync, os.replace = before(lambda file: None), before(os.replace)
    sha256_cache.write_json = noted
    return lambda: moments


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
