"""What a running cell tells the world: a small file, written every few seconds by a thread of its own. Torch-free.

The file says who runs the cell and how far it is. `cenbench status` reads it, and so does the lock of another host,
where locks do not reach across nodes. It beats through long steps and evaluations too, and ends with the process
however that died: a heartbeat that stopped is a lost cell, not a running one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from cenbench.errors import UserError
from cenbench.files import read_json

log = logging.getLogger("cenbench")
Phase = Literal["preparing", "training", "evaluating", "publishing"]
BEAT_S = 3.0
BEATS_UNTIL_LOST = 10
LOST_AFTER_S = BEAT_S * BEATS_UNTIL_LOST
FILE = "heartbeat.json"


@dataclass(frozen=True)
class Beat:
    """One beat. Times are Unix seconds of the writer's clock."""

    cell_id: str
    phase: Phase
    host: str
    node: str
    """Slurm's name of the node, where there is one; else the host."""
    pid: int
    job: str | None
    """Slurm's job id (`array_task` for an array)."""
    started: float
    progressed: float
    """When a step was last told of, or the phase changed: a process can beat and be stuck."""
    updated: float
    step: int | None = None
    total: int | None = None
    steps_per_s: float | None = None
    left_s: float | None = None
    """Seconds of training left, at `updated`."""

    def age_s(self, now: float) -> float:
        """Seconds since this beat; negative where the writer's clock is ahead."""
        return now - self.updated

    def is_fresh(self, now: float, lost_after_s: float = LOST_AFTER_S) -> bool:
        """Whether its process is to be taken for alive at `now`."""
        return abs(self.age_s(now)) <= lost_after_s

    @property
    def who(self) -> str:
        """The process, in words."""
        job = f", Slurm job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job}"


_BEAT = TypeAdapter(Beat)


def read_beat(folder: Path) -> Beat | None:
    """The last beat in a state folder; None where there is none, or none this version can read."""
    try:
        return _BEAT.validate_python(read_json(folder / FILE))
    except (OSError, UserError, ValueError):
        return None


def slurm_job(environment: Mapping[str, str]) -> str | None:
    """The Slurm job that an environment belongs to."""
    if array := environment.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{environment.get('SLURM_ARRAY_TASK_ID', '')}"
    return environment.get("SLURM_JOB_ID")


class Heartbeat:
    """Beats from entering the context to leaving it; then the file is gone, for nothing runs any more.

    Only the main thread's words are passed on; nothing of the run depends on whether they could be written.
    """

    def __init__(self, folder: Path, cell_id: str, *, beat_s: float = BEAT_S) -> None:
        now, host = time.time(), socket.gethostname()
        node = os.environ.get("SLURMD_NODENAME", host)
        job = slurm_job(os.environ)
        self._folder, self._beat_s = folder, beat_s
        self._said = Beat(cell_id, "preparing", host, node, os.getpid(), job, now, now, now)
        self._first: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._write()  # before anything slow: whoever looks from another node sees this run from its start
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for path in (self._folder / FILE, self._temporary):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def phase(self, phase: Phase) -> None:
        """Tell what is being done from now on."""
        self._said = replace(self._said, phase=phase, progressed=time.time(), left_s=None)

    def training(self, step: int, total: int, steps_per_s: float) -> None:
        """Tell that `step` of `total` steps are done, at this rate (0 where it is not known yet)."""
        if self._first is None:
            self._first = step
        left_s = (total - step) / steps_per_s if steps_per_s else None
        rate = steps_per_s or None
        said = replace(self._said, phase="training", step=step, total=total, steps_per_s=rate, left_s=left_s)
        self._said = replace(said, progressed=time.time())

    @property
    def trained_steps(self) -> int:
        """Steps taken in this run; fewer than the cell's where it went on from a saved state."""
        return 0 if self._first is None or self._said.step is None else self._said.step - self._first

    @property
    def _temporary(self) -> Path:
        return self._folder / f".{FILE}.tmp"

    def _run(self) -> None:
        while not self._ended.wait(self._beat_s):
            self._write()

    def _write(self) -> None:
        """Renamed into place, so that a reader sees a whole beat; not fsynced, for after a power cut nothing runs."""
        said, now = self._said, time.time()
        left_s = None if said.left_s is None else max(0.0, said.left_s - (now - said.progressed))
        text = json.dumps(asdict(replace(said, updated=now, left_s=left_s)), indent=1, sort_keys=True)
        try:
            self._temporary.write_text(text + "\n")
            self._temporary.replace(self._folder / FILE)
        except OSError as error:
            log.debug("no heartbeat: %s", error)
