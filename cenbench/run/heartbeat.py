"""A running cell's heartbeat: a small file that a thread rewrites every few seconds. Torch-free.

The file holds which process runs the cell and how far it is. `cenbench status` reads it, and so do runs on other hosts,
because locks may not reach across nodes. The thread beats through long steps and evaluations, and dies with its
process: a heartbeat that stopped belongs to a lost cell, not to a running one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from cenbench.errors import UserError
from cenbench.process import Fate, Pid, Process, fate_as_holder, folder_id, this_process
from cenbench.strict_json import read_strict

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
    """Slurm's name for the node; outside of Slurm, the host."""
    pid: Pid
    job: str | None
    """Slurm's job id (`array_task` for an array)."""
    started: float
    progressed: float
    """When the last step was reported, or the phase changed. A process may beat and yet be stuck."""
    updated: float
    step: int | None = None
    total: int | None = None
    steps_per_s: float | None = None
    left_s: float | None = None
    """Seconds of training left, as of `updated`."""
    start: str | None = None
    """When the process started; see `Process`."""
    folder: str | None = None
    """The state folder, by `folder_id`; None in files of older versions."""

    def age_s(self, now: float) -> float:
        """Seconds since this beat; negative if the writer's clock is ahead."""
        return now - self.updated

    def is_fresh(self, now: float, lost_after_s: float = LOST_AFTER_S) -> bool:
        """Whether its process is considered alive at `now`."""
        return abs(self.age_s(now)) <= lost_after_s

    @property
    def process(self) -> Process:
        """The process that beats."""
        return Process(self.host, self.pid, self.start)

    def is_at_work(self, folder: Path, now: float) -> bool:
        """Whether the run of the cell in this state folder beats, and was not copied here with it."""
        return self.is_fresh(now) and self.fate_in(folder) != "ended"

    def fate_in(self, folder: Path) -> Fate:
        """What became of the process that ran the cell of this state folder; see `fate_as_holder`."""
        return fate_as_holder(self.process, self.folder, folder)

    @property
    def who(self) -> str:
        """The process, for messages."""
        job = f", Slurm job {self.job}" if self.job else ""
        return f"{self.process}{job}"


_BEAT = TypeAdapter(Beat)


def read_beat(folder: Path) -> Beat | None:
    """The last beat in a state folder; None if there is none, or this version cannot read it."""
    try:
        return _BEAT.validate_json(read_strict(folder / FILE)[1], strict=True)
    except (OSError, UserError, ValueError):
        return None


def slurm_job(environment: Mapping[str, str]) -> str | None:
    """The Slurm job that an environment belongs to."""
    if array := environment.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{environment.get('SLURM_ARRAY_TASK_ID', '')}"
    return environment.get("SLURM_JOB_ID")


class Heartbeat:
    """Beats while the context is open, then removes the file. The file stays behind only if the process is killed.

    The main thread reports progress, the heartbeat's thread writes it. A beat that cannot be written is skipped, and so
    is one of a run that was taken over: the file is the other's then. `is_held` tells.
    """

    def __init__(
        self, folder: Path, cell_id: str, *, beat_s: float = BEAT_S, is_held: Callable[[], bool] = lambda: True
    ) -> None:
        now, process = time.time(), this_process()
        node = os.environ.get("SLURMD_NODENAME", process.host)
        job = slurm_job(os.environ)
        self._folder, self._beat_s, self._is_held = folder, beat_s, is_held
        self._beat = Beat(
            cell_id,
            "preparing",
            process.host,
            node,
            process.pid,
            job,
            now,
            now,
            now,
            start=process.start,
            folder=folder_id(folder),
        )
        self._first: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._write()  # before anything slow, so that other nodes see this run from its start
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if not self._is_held():
            return
        for path in (self._folder / FILE, self._temporary):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def phase(self, phase: Phase) -> None:
        """Report what the run does from now on."""
        self._beat = replace(self._beat, phase=phase, progressed=time.time(), left_s=None)

    def training(self, step: int, total: int, steps_per_s: float) -> None:
        """Report that `step` of `total` steps are done, at this rate (0 if it is not known yet)."""
        if self._first is None:
            self._first = step
        left_s = (total - step) / steps_per_s if steps_per_s else None
        rate = steps_per_s or None
        beat = replace(self._beat, phase="training", step=step, total=total, steps_per_s=rate, left_s=left_s)
        self._beat = replace(beat, progressed=time.time())

    @property
    def trained_steps(self) -> int:
        """Steps taken by this run; fewer than the cell's if it resumed from a saved state."""
        return 0 if self._first is None or self._beat.step is None else self._beat.step - self._first

    @property
    def _temporary(self) -> Path:
        return self._folder / f".{FILE}.tmp"

    def _run(self) -> None:
        while not self._ended.wait(self._beat_s):
            self._write()

    def _write(self) -> None:
        """Rename into place, so that readers see complete beats. No fsync: after a power cut nothing runs anyway."""
        beat, now = self._beat, time.time()
        left_s = None if beat.left_s is None else max(0.0, beat.left_s - (now - beat.progressed))
        text = json.dumps(asdict(replace(beat, updated=now, left_s=left_s)), indent=1, sort_keys=True)
        try:
            if self._is_held():
                self._temporary.write_text(text + "\n")
            if self._is_held():
                self._temporary.replace(self._folder / FILE)
        except OSError as error:
            log.debug("the heartbeat cannot be written: %s", error)
