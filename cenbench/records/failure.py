"""The note of why a cell failed: kept beside its state until a later run succeeds, and shown in its tables."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from cenbench.errors import UserError
from cenbench.files import as_text, read_json_object, remove, write_json
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.redact import redacted
from cenbench.regular_file import Missing

log = logging.getLogger("cenbench")


def write_failure(paths: Paths, cell: Cell, reason: str) -> None:
    """Write the reason, without secrets. Never raises: the caller is about to report the failure itself."""
    try:
        write_json(paths.failure(cell), {"reason": as_text(redacted(reason)), "cell_id": cell.id})
    except (UserError, OSError) as error:
        log.warning("the reason for the failure cannot be saved: %s", error)


@dataclass(frozen=True)
class DamagedNote:
    """There is a note, but it cannot be read; `error` tells why."""

    error: UserError


def read_failure(paths: Paths, cell: Cell) -> str | DamagedNote | None:
    """Why the cell's last run failed; None if it did not. Cells with one training share the folder, so a note counts
    for the cell it names.
    """
    path = paths.failure(cell)
    try:
        note = read_json_object(path)
    except Missing:
        return None
    except UserError as error:
        return DamagedNote(error)
    reason = note.get("reason")
    if not isinstance(reason, str):
        return DamagedNote(UserError(f"{path.name} contains no reason", where=path))
    return reason if note.get("cell_id", cell.id) == cell.id else None


def clear_failure(paths: Paths, cell: Cell) -> None:
    """Forget an earlier failure."""
    remove(paths.failure(cell))
