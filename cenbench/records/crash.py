"""How a run ended that could not report it itself, from the end of its log."""

from __future__ import annotations

import os
from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.regular_file import open_regular

_BUS_ERROR = "Fatal Python error: Bus error"
_TAIL_BYTES = 2**17


def bus_error(paths: Paths, cell: Cell) -> str | None:
    """What to check after the cell's last run died of a bus error; None if it did not.

    Datasets are memory-mapped: reading a page that is no longer in the file ends the process, without an exception.
    """
    log = _tail(paths.run_log(cell))
    if log.rfind(_BUS_ERROR) <= log.rfind(f" cell {cell.id}\n"):
        return None
    folder = paths.data / dataset_key(cell.dataset)
    return (
        f"its process died of a bus error: a file of {folder} was cut short while it was read, or its disk failed\n"
        f"  file: {paths.run_log(cell)}\n"
        f"  fix: rerun the command, which checks the files first; all of them: cenbench data verify {cell.dataset.name}"
    )


def _tail(path: Path) -> str:
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except UserError:
        return ""
