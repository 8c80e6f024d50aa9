"""The note of why a cell failed: kept beside its state until a later run succeeds, and shown in its tables."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.files import SEAL, as_text, remove, unsealed, write_sealed
from cenbench.matrix.cell import Cell
from cenbench.matrix.validation import short_repr
from cenbench.paths import Paths
from cenbench.redact import redacted
from cenbench.regular_file import Missing
from cenbench.strict_json import read_strict

log = logging.getLogger("cenbench")


def write_failure(paths: Paths, cell: Cell, reason: str) -> None:
    """Write the reason, without secrets. Never raises: the caller is about to report the failure itself."""
    try:
        note = {"reason": as_text(redacted(reason)), "cell_id": cell.id, "training_id": cell.training_id}
        write_sealed(paths.failure(cell), note)
    except (UserError, OSError) as error:
        log.warning("the reason for the failure cannot be saved: %s", error)


@dataclass(frozen=True)
class DamagedNote:
    """There is a note, but it cannot be read; `error` tells why."""

    error: UserError


def read_failure(paths: Paths, cell: Cell) -> str | DamagedNote | None:
    """Why the cell's last run failed; None if it did not. Cells with one training share the folder, so a note counts
    for the cell it names. A note that names no cell of this training is damaged: the cell that failed is not known.
    """
    path = paths.failure(cell)
    try:
        note = _read_note(path)
    except Missing:
        return None
    except UserError as error:
        return DamagedNote(error)
    reason = note.get("reason")
    if not isinstance(reason, str):
        return DamagedNote(UserError(f"{path.name} contains no reason", where=path))
    if (found := note.get("cell_id", cell.id)) == cell.id:
        return reason
    if _is_of_training(found, cell) and note.get("training_id", cell.training_id) == cell.training_id:
        return None
    problem = f"{path.name} names no cell of this training"
    return DamagedNote(UserError(problem, where=path, key="cell_id", found=short_repr(found), expected=cell.id))


def _read_note(path: Path) -> dict[str, Any]:
    """The note; one without a seal is of an older version."""
    value, text = read_strict(path)
    if isinstance(value, dict) and SEAL not in value:
        return value
    return unsealed(path, value, text)


def _is_of_training(cell_id: object, cell: Cell) -> bool:
    """Whether it has the form of the id of a cell that shares the training of `cell`."""
    if not isinstance(cell_id, str):
        return False
    (slug, _, its), (known, _, own) = cell_id.rpartition("."), cell.id.rpartition(".")
    return slug == known and len(its) == len(own) and re.fullmatch("[0-9a-f]+", its) is not None


def clear_failure(paths: Paths, cell: Cell) -> None:
    """Forget an earlier failure."""
    remove(paths.failure(cell))
