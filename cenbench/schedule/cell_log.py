"""A cell's log: the lines of its last run, and the lines of a run as it writes them. Torch-free."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.regular_file import Missing, open_regular

POLL_S = 0.5
_HEADER = re.compile(r"\S+ \S+ cell (\S+)$")
"""The first line of each run, after date and time (`cenbench.run.cell`). Cells with the same training share a file."""


def latest_log(paths: Paths, cell: Cell) -> Path | None:
    """The file that the cell's last run wrote to; None if it has never run here.

    A job of Snakemake writes everything it prints, tracebacks included, to a file of its own. Every run appends its log
    to the file of the training, which is therefore newer after a run without Snakemake.
    """
    written = {path: time_s for path in (paths.log(cell), paths.run_log(cell)) if (time_s := _written_s(path))}
    return max(written, key=written.__getitem__, default=None)


def last_run(paths: Paths, cell: Cell) -> list[str]:
    """The lines of the cell's last run; none if it has never run here. `UserError` for a log that cannot be read."""
    path = latest_log(paths, cell)
    if path is None:
        return []
    lines, _ = _lines_after(path, 0, unfinished=True)
    return lines if path == paths.log(cell) else _of_last_run(lines, cell.id)


def all_runs(paths: Paths, cell: Cell) -> list[str]:
    """The lines of every run of the cell's training, oldest first; see `last_run`."""
    try:
        return _lines_after(paths.run_log(cell), 0, unfinished=True)[0]
    except Missing:
        return []


def follow_run(
    paths: Paths, cell: Cell, has_ended: Callable[[], bool], pause: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """Yield the lines of the cell's last run, then those that it and later runs write, until the cell `has_ended`."""
    path, position, is_own, is_first = paths.run_log(cell), 0, False, True
    while True:
        over = has_ended()  # before reading: whatever a run wrote until it ended is read
        try:
            lines, position = _lines_after(path, position, unfinished=over)
        except Missing:
            lines, position = [], 0
        if is_first and lines:
            lines, is_first = _of_last_run(lines, cell.id), False
        for line in lines:
            if header := _HEADER.match(line):
                is_own = header[1] == cell.id
            if is_own:
                yield line
        if over:
            return
        pause(POLL_S)


def _of_last_run(lines: list[str], cell_id: str) -> list[str]:
    """The last run of the cell, up to the next run of another cell."""
    starts = [(number, header[1]) for number, line in enumerate(lines) if (header := _HEADER.match(line))]
    own = [number for number, name in starts if name == cell_id]
    if not own:
        return []
    end = next((number for number, _ in starts if number > own[-1]), len(lines))
    return lines[own[-1] : end]


def _lines_after(path: Path, position: int, *, unfinished: bool) -> tuple[list[str], int]:
    """The lines after a position in bytes, and the position after them; from the start of a file that is shorter.

    A last line without an end is only read if `unfinished` lines are wanted too.
    """
    with open_regular(path) as file:
        file.seek(position if position <= os.fstat(file.fileno()).st_size else 0)
        start, data = file.tell(), file.read()
    if not unfinished:
        data = data[: data.rfind(b"\n") + 1]
    return data.decode("utf-8", errors="replace").splitlines(), start + len(data)


def _written_s(path: Path) -> float:
    """When the file was last written, in Unix seconds; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
