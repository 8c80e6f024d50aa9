"""The training loop of both tasks: steps, history, state, and the failure when a loss becomes NaN or infinite.

No random state passes from one step to the next: each step seeds torch from (cell seed, step), and batches are a
function of (seed, step). So a run resumed from any saved step ends like an uninterrupted one, bitwise on CPU.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cenbench.errors import CellFailed, Stopped
from cenbench.files import Guard, unguarded
from cenbench.train.gamma_recording import GammaRecording
from cenbench.train.history import history_csv
from cenbench.train.progress import Report, TrainingProgress
from cenbench.train.selection import BestWeights
from cenbench.train.state import load_state, save_state
from cenbench.train.trainer import Trainer

log = logging.getLogger("cenbench")
HISTORY_EVERY = 20
SAVE_EVERY_S = 5.0
SAVE_SHARE = 0.02
"""Saving takes at most this share of the time: large states are saved less often."""


@dataclass
class _Run:
    """The progress of a run: steps done, history so far, and the losses since its last line."""

    step: int = 0
    rows: list[list[float]] = field(default_factory=list)
    window: list[Tensor] = field(default_factory=list)


def train_steps(
    trainer: Trainer,
    *,
    folder: Path,
    seed: int,
    total: int,
    steps_per_epoch: int,
    identity: dict[str, str],
    best: BestWeights | None = None,
    report: Report | None = None,
    before_saving: Guard = unguarded,
    recording: GammaRecording | None = None,
) -> bytes:
    """Train from the saved state (if it has the same `identity`) to step `total`; returns the history as CSV.

    The trainer's network ends with its last weights, or those that `best` selected. `report` receives the progress.

    `before_saving` is called before each state is written, and again right before it replaces the last one; what it
    raises ends the training, with the state before. `recording` observes the scaling factors at lines of the history.

    Raises `CellFailed` at a non-finite loss or when memory runs out, `Stopped` at SIGTERM, after saving the state.
    """
    run = _resume(trainer, folder, identity, best, recording)
    every = _steps_per_line(total)
    if run.step:
        log.info("resuming at step %d of %d", run.step, total)
    save = _Saver(trainer, run, folder, identity, best, before_saving, recording)
    with TrainingProgress(run.step, total, report) as progress, _stop_asked() as stop_asked:
        while run.step < total:
            _one_step(trainer, run, seed)
            ends_window = run.step % every == 0 or run.step == total
            if ends_window:
                mean = _write_row(trainer, run, steps_per_epoch)
                if recording is not None:
                    recording.line(run.step)
                progress.update(run.step, mean)
            # State is saved before a step or after its validation, never in between: an interrupted one is repeated.
            if best is not None and best.due(run.step, total):
                best.validate(trainer.network, run.step)
                save.now()
            elif ends_window:
                save.if_due()
            if stop_asked():
                save.now()
                raise Stopped(f"stopped at step {run.step} of {total}; the state is saved")
    if best is not None:
        best.restore(trainer.network)
    names = ["step", "epoch", *trainer.losses, *trainer.learning_rates(), *trainer.below_theta()]
    return history_csv(names, run.rows)


def history_lines(total: int) -> int:
    """Number of lines in the history of `total` steps."""
    return math.ceil(total / _steps_per_line(total))


def _steps_per_line(total: int) -> int:
    return min(HISTORY_EVERY, max(1, total // 50))


def _resume(
    trainer: Trainer,
    folder: Path,
    identity: dict[str, str],
    best: BestWeights | None,
    recording: GammaRecording | None,
) -> _Run:
    state = load_state(folder)
    if state is None or state["identity"] != identity:
        if state is not None:
            log.info("the saved state comes from other code or data: training restarts")
        trainer.begin(0)
        return _Run()
    trainer.begin(state["step"])
    trainer.load_state_dict(state["trainer"])
    if best is not None:
        best.load_state_dict(state["best"])
    if recording is not None:
        recording.load_state_dict(state["gammas"])
    window = [] if state["window"] is None else list(state["window"].to(next(trainer.network.parameters()).device))
    return _Run(state["step"], state["rows"], window)


def _one_step(trainer: Trainer, run: _Run, seed: int) -> None:
    torch.manual_seed((seed * 1_000_003 + run.step) % 2**63)
    trainer.begin(run.step)
    try:
        run.window.append(trainer.step(run.step))
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        raise CellFailed(
            f"out of memory at step {run.step}",
            found=str(error).splitlines()[0] if str(error) else None,
            fix="a smaller batch_size or crop_px, or a device with more memory",
        ) from error
    run.step += 1


def _write_row(trainer: Trainer, run: _Run, steps_per_epoch: int) -> float:
    """Close the window with one line of history. Only here does the host wait for the device."""
    losses = torch.stack(run.window).double()
    finite = losses.isfinite().all(1)
    if not bool(finite.all()):
        _fail(trainer, run, losses, int(finite.logical_not().nonzero()[0]))
    mean: list[float] = losses.mean(0).tolist()
    below = torch.stack(list(trainer.below_theta().values())).tolist()
    epoch = run.step / steps_per_epoch
    run.rows.append([run.step, epoch, *mean, *trainer.learning_rates().values(), *below])
    run.window.clear()
    return sum(mean)


def _fail(trainer: Trainer, run: _Run, losses: Tensor, bad: int) -> None:
    step = run.step - len(run.window) + bad
    before = run.rows[-1][2:] if run.rows else []
    last = losses[bad - 1].tolist() if bad else before
    values = ", ".join(f"{name} {value:.4g}" for name, value in zip(trainer.losses, last, strict=False))
    broken = [name for name, value in zip(trainer.losses, losses[bad].tolist(), strict=True) if value - value != 0]
    raise CellFailed(
        f"non-finite loss at step {step}: {', '.join(broken)}",
        found=f"last finite values: {values or 'none, the first step is already non-finite'}",
        fix="a smaller learning rate or lambda_l1, or float32 precision",
    )


class _Saver:
    """Saves the state every few seconds, less often if saving takes long."""

    def __init__(
        self,
        trainer: Trainer,
        run: _Run,
        folder: Path,
        identity: dict[str, str],
        best: BestWeights | None,
        before: Guard,
        recording: GammaRecording | None,
    ) -> None:
        self._trainer, self._run, self._folder, self._identity, self._best = trainer, run, folder, identity, best
        self._before, self._recording = before, recording
        self._last, self._took = time.monotonic(), 0.0

    def if_due(self) -> None:
        if time.monotonic() - self._last > max(SAVE_EVERY_S, self._took / SAVE_SHARE):
            self.now()

    def now(self) -> None:
        start = time.monotonic()
        self._before()
        run = self._run
        window = torch.stack(run.window).cpu() if run.window else None
        state: dict[str, Any] = {"identity": self._identity, "step": run.step, "rows": run.rows, "window": window}
        state["trainer"] = self._trainer.state_dict()
        state["best"] = None if self._best is None else self._best.state_dict()
        state["gammas"] = None if self._recording is None else self._recording.state_dict()
        save_state(self._folder, state, self._before)
        self._last = time.monotonic()
        self._took = self._last - start


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Yields whether SIGTERM was received (preemption, a time limit): the loop then saves and ends after its step."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
