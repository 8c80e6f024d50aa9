"""What a cell's Slurm job is asked for beyond the profile's resources, and requeueing it. Torch-free.

Snakemake's Slurm plugin submits the jobs; profiles/slurm/config.yaml sets their resources. Without Slurm nothing here
has an effect.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

OPTIONS = "CENBENCH_SLURM_SBATCH"
"""Environment variable with sbatch options for every cell's job. profiles/slurm/config.yaml sets a default."""
_JOB = "SLURM_JOB_ID"
_QUEUE_KEPT_S = 20.0


class _Wildcards(Protocol):
    cell: str


def back_into_the_queue() -> str | None:
    """Requeue the batch job that this process belongs to; returns its id, or None if it was not requeued.

    A job that Slurm is already ending is left alone: it was cancelled, or is requeued anyway. So is a job that somebody
    wrote around `snakemake` without the profile: it may be that job which is ending.
    """
    job = os.environ.get(_JOB)
    if job is None or OPTIONS not in os.environ:
        return None
    words = _output("scontrol", "--oneliner", "show", "job", job).split()
    facts = dict(word.split("=", 1) for word in words if "=" in word)
    required = {"JobState": "RUNNING", "BatchFlag": "1", "Requeue": "1"}
    if any(facts.get(name) != value for name, value in required.items()):
        return None
    return job if subprocess.run(["scontrol", "requeue", job], check=False).returncode == 0 else None


@dataclass
class Queue:
    """The jobs that controllers of one working directory have in the queue.

    A killed controller leaves its jobs behind, and they keep running. The next controller submits its job for the same
    cell so that it starts after that one; otherwise it would hold a second GPU while it waits for the cell's lock.
    """

    root: Path
    """The working directory, absolute."""
    _jobs: dict[str, list[str]] = field(default_factory=dict)
    _read_at: float = float("-inf")

    def options_of_cell(self, wildcards: _Wildcards) -> str:
        """sbatch options for a cell's job; empty without the slurm profile, and inside the job itself."""
        if OPTIONS not in os.environ or _JOB in os.environ:
            return ""
        if time.monotonic() - self._read_at > _QUEUE_KEPT_S:
            self._jobs, self._read_at = self._read(), time.monotonic()
        left = self._jobs.get(f"rule_cell_wildcards_{wildcards.cell}", ())
        after = f" --dependency=afterany:{':'.join(left)}" if left else ""
        return os.environ[OPTIONS] + after

    def _read(self) -> dict[str, list[str]]:
        """Comment -> job ids. The plugin sets the comment: the rule's name and its wildcards."""
        jobs: dict[str, list[str]] = {}
        here = f"|{self.root}"
        for line in _output("squeue", "--me", "--noheader", "--format=%i|%k|%Z").splitlines():
            if line.endswith(here):  # comments of the user's own jobs may have any text, line breaks too
                job, _, comment = line.removesuffix(here).partition("|")
                jobs.setdefault(comment, []).append(job)
        return jobs


def _output(*command: str) -> str:
    """The output of a Slurm command; empty if it fails or does not exist."""
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
