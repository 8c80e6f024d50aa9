"""What Slurm is asked besides what Snakemake's plugin asks it. Torch-free; where there is no Slurm, nothing happens."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

OPTIONS = "CENBENCH_SLURM_SBATCH"
"""Options of sbatch for every cell's job. profiles/slurm/config.yaml sets it where the user has not."""
_JOB = "SLURM_JOB_ID"
_QUEUE_KEPT_S = 20.0


class _Wildcards(Protocol):
    cell: str


def back_into_the_queue() -> str | None:
    """Put the batch job that this process belongs to back into Slurm's queue; its id, or None where it is not.

    Not where Slurm is ending the job already: then it was cancelled, and is to stay so, or is requeued anyway. Nor a
    job that somebody wrote around `snakemake`, which knows nothing of the profile: its own end may be what stops us.
    """
    job = os.environ.get(_JOB)
    if job is None or OPTIONS not in os.environ:
        return None
    words = _asked("scontrol", "--oneliner", "show", "job", job).split()
    facts = dict(word.split("=", 1) for word in words if "=" in word)
    wanted = {"JobState": "RUNNING", "BatchFlag": "1", "Requeue": "1"}
    if any(facts.get(name) != value for name, value in wanted.items()):
        return None
    return job if subprocess.run(["scontrol", "requeue", job], check=False).returncode == 0 else None


@dataclass
class Queue:
    """The jobs that controllers of one working directory have in the queue.

    A controller that was killed leaves its jobs behind, and they go on. The next controller's job for the same cell is
    submitted to start after the one that is there, so that no second GPU is held by a cell that waits for its lock.
    """

    root: Path
    """The working directory, absolute."""
    _jobs: dict[str, list[str]] = field(default_factory=dict)
    _asked_at: float = float("-inf")

    def options_of_cell(self, wildcards: _Wildcards) -> str:
        """Of sbatch, for a cell's job. Empty without the slurm profile, and inside the job itself."""
        if OPTIONS not in os.environ or _JOB in os.environ:
            return ""
        if time.monotonic() - self._asked_at > _QUEUE_KEPT_S:
            self._jobs, self._asked_at = self._read(), time.monotonic()
        left = self._jobs.get(f"rule_cell_wildcards_{wildcards.cell}", ())
        after = f" --dependency=afterany:{':'.join(left)}" if left else ""
        return os.environ[OPTIONS] + after

    def _read(self) -> dict[str, list[str]]:
        """comment -> job ids. The comment is the plugin's: the rule's name and its wildcards."""
        jobs: dict[str, list[str]] = {}
        for line in _asked("squeue", "--me", "--noheader", "--format=%i|%k|%Z").splitlines():
            job, comment, folder = line.split("|", 2)
            if folder == str(self.root):
                jobs.setdefault(comment, []).append(job)
        return jobs


def _asked(*command: str) -> str:
    """What a command of Slurm prints; nothing where it fails or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
