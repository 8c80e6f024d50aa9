"""Which cells Snakemake has given to a scheduler, from the notes it keeps in `.snakemake/incomplete`. Torch-free."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import read_json
from cenbench.matrix.cell import Cell
from cenbench.paths import record_target


def submitted_job(root: Path, cell: Cell) -> str | None:
    """The scheduler's id of the job that is to make the cell's record; None where there is none that has not ended.

    The note is written when a job is submitted and removed when the controller sees it end. Jobs of this machine have
    no id: they begin at once. Only the scheduler knows whether a job waits still or was cancelled behind our back.
    """
    note = _note(root / ".snakemake" / "incomplete", record_target(cell))
    try:
        job = read_json(note)["external_jobid"]
    except (OSError, UserError, KeyError, TypeError):
        return None
    return None if job is None else str(job)


def _note(folder: Path, output: str) -> Path:
    """Where Snakemake notes that `output` is being made: base64, cut into folders where a name would be too long."""
    name = urlsafe_b64encode(output.encode()).decode()
    longest = (os.pathconf(folder, "PC_NAME_MAX") if folder.exists() else 255) - 1
    *folders, last = (name[start : start + longest] for start in range(0, len(name), longest))
    return folder.joinpath(*(f"@{each}" for each in folders), last)
