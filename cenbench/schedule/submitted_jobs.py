"""Which cells Snakemake has submitted to a scheduler, from its notes in `.snakemake/incomplete`. Torch-free."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import read_json_object
from cenbench.matrix.cell import Cell
from cenbench.paths import record_target
from cenbench.regular_file import is_there


def submitted_job(root: Path, cell: Cell) -> str | None:
    """The scheduler's id of the job that will write the cell's record; None without such a job.

    Snakemake writes the note when it submits a job and removes it when it sees the job end. Local jobs have no id: they
    start at once. Only the scheduler knows whether a job is still waiting, or was cancelled without Snakemake.
    """
    try:
        note = _note(root / ".snakemake" / "incomplete", record_target(cell))
        job = read_json_object(note).get("external_jobid")
    except (OSError, UserError):
        return None
    return str(job) if type(job) in (str, int) else None


def _note(folder: Path, output: str) -> Path:
    """Where Snakemake notes that `output` is being made: its name in base64, split into folders if it is too long."""
    name = urlsafe_b64encode(output.encode()).decode()
    longest = (os.pathconf(folder, "PC_NAME_MAX") if is_there(folder) else 255) - 1
    *folders, last = (name[start : start + longest] for start in range(0, len(name), longest))
    return folder.joinpath(*(f"@{part}" for part in folders), last)
