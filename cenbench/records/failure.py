"""The note of why a cell failed: kept beside its state until a later run succeeds, and shown in its tables."""

from __future__ import annotations

import logging

from cenbench.errors import UserError
from cenbench.files import read_json, write_json
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.redact import redacted

log = logging.getLogger("cenbench")


def write_failure(paths: Paths, cell: Cell, reason: str) -> None:
    """Write the reason, without secrets. Never raises: the caller is about to report the failure itself."""
    try:
        write_json(paths.failure(cell), {"reason": redacted(reason), "cell_id": cell.id})
    except (UserError, OSError) as error:
        log.warning("the reason for the failure cannot be saved: %s", error)


def read_failure(paths: Paths, cell: Cell) -> str | None:
    """Why the cell's last run failed; None if it did not."""
    path = paths.failure(cell)
    if not path.exists():
        return None
    try:
        return str(read_json(path)["reason"])
    except (UserError, KeyError, TypeError):
        return f"its failure report {path} is damaged; see the log"


def clear_failure(paths: Paths, cell: Cell) -> None:
    """Forget an earlier failure."""
    paths.failure(cell).unlink(missing_ok=True)
