"""What a person sees of a running cell: a bar on a terminal, a line now and then in a log, a heartbeat in a file."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cenbench.files import write_json

log = logging.getLogger("cenbench")
LOG_EVERY_S = 10.0
HEARTBEAT_EVERY_S = 2.0


class TrainingProgress:
    """Shows steps, rate and time left; use as a context. `step` is where the run starts from."""

    def __init__(self, folder: Path, step: int, total: int) -> None:
        self._folder, self._first, self._total = folder, step, total
        self._start = self._logged = time.monotonic()
        self._beat = 0.0
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            rate = TextColumn("{task.fields[rate]}")
            self._bar = Progress("training", BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
            self._task = self._bar.add_task("training", total=total, completed=step, rate="")

    def __enter__(self) -> TrainingProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, step: int, loss: float) -> None:
        """Tell where training is: `step` steps are done, `loss` was the last mean."""
        now = time.monotonic()
        rate = (step - self._first) / max(now - self._start, 1e-9)
        left_s = (self._total - step) / rate if rate else 0.0
        if self._bar:
            self._bar.update(self._task, completed=step, rate=f"{rate:.1f} steps/s, loss {loss:.4g}")
        elif now - self._logged > LOG_EVERY_S or step == self._total:
            self._logged = now
            log.info("step %d of %d, %.1f steps/s, %.0f s left, loss %.4g", step, self._total, rate, left_s, loss)
        if now - self._beat > HEARTBEAT_EVERY_S:
            self._beat = now
            beat = {"step": step, "total": self._total, "steps_per_s": rate, "left_s": left_s, "pid": os.getpid()}
            write_json(self._folder / "heartbeat.json", {**beat, "updated": time.time()})
