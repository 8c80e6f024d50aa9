"""Progress of a running cell: a bar on a terminal, an occasional line in a log, and a callback."""
# changes no number: what a person sees of a running cell

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger("cenbench")
LOG_EVERY_S = 10.0
Report = Callable[[int, int, float], None]
"""Receives the steps done, the total, and the steps per second (0 while unknown)."""


class TrainingProgress:
    """Context manager that shows steps, rate and time left. `step` is the step the run starts from."""

    def __init__(self, step: int, total: int, report: Report | None = None) -> None:
        self._first, self._total, self._report = step, total, report
        self._start = self._logged = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            rate = TextColumn("{task.fields[rate]}")
            self._bar = Progress("training", BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
            self._task = self._bar.add_task("training", total=total, completed=step, rate="")

    def __enter__(self) -> TrainingProgress:
        if self._bar:
            self._bar.start()
        if self._report:
            self._report(self._first, self._total, 0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, step: int, loss: float) -> None:
        """Show that `step` steps are done and that `loss` was the last mean."""
        now = time.monotonic()
        rate = (step - self._first) / max(now - self._start, 1e-9)
        left_s = (self._total - step) / rate if rate else 0.0
        if self._bar:
            self._bar.update(self._task, completed=step, rate=f"{rate:.1f} steps/s, loss {loss:.4g}")
        elif now - self._logged > LOG_EVERY_S or step == self._total:
            self._logged = now
            log.info("step %d of %d, %.1f steps/s, %.0f s left, loss %.4g", step, self._total, rate, left_s, loss)
        if self._report:
            self._report(step, self._total, rate)
