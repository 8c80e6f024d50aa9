"""A training step recorded once and replayed as a CUDA graph: one launch in place of some thousand.

A U-Net at batch 1 keeps a GPU waiting for its host: each kernel is over before the next one is launched. What is
replayed is the whole step, both networks' passes and both optimisers. Same kernels, same random draws: a replay reads
torch's seed of that moment, so the step of a seed drops out what it would have dropped out unrecorded.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cenbench.errors import UserError, out_of_memory

log = logging.getLogger("cenbench")
Step = Callable[[Tensor, Tensor], Tensor]
"""A batch (x, y) -> losses, all on one device: fixed shapes, nothing read back, every effect on tensors that stay."""
PLAIN_STEPS = 3
"""Taken as they are before the recording, so that optimisers have their state and convolutions their algorithms."""
SWITCH = "CENBENCH_CUDA_GRAPHS"


class Recorder(Protocol):
    """How work is recorded."""

    def prepare(self, work: Callable[[], Tensor]) -> Tensor:
        """Do `work` where it will be recorded."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """What `work` returns, still to be filled, and what does it: not done yet. RuntimeError where it can't be."""


@dataclass(frozen=True)
class _Recording:
    """A recorded step with the tensors it reads and fills."""

    x: Tensor
    y: Tensor
    losses: Tensor
    replay: Callable[[], None]

    def replayed(self, x: Tensor, y: Tensor) -> Tensor:
        if x.shape != self.x.shape or y.shape != self.y.shape:
            raise ValueError(f"recorded for {tuple(self.x.shape)}, {tuple(self.y.shape)}, not for {tuple(x.shape)}")
        self.x.copy_(x)
        self.y.copy_(y)
        self.replay()
        # The next replay writes over these.
        return self.losses.clone()


class RecordedStep:
    """Takes a step: the first times as it is, then by replaying its recording.

    A step that can't be recorded goes on as it is, and the log says so. The step is given at each call, always the
    same one: kept here, it and whoever owns this would keep each other alive.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._plain_left: float = PLAIN_STEPS
        self._recording: _Recording | None = None

    @property
    def replaying(self) -> bool:
        """Whether calls are replays by now."""
        return self._recording is not None

    def __call__(self, step: Step, x: Tensor, y: Tensor) -> Tensor:
        if self._recording is None and not self._plain_left:
            self._record(step, x, y)
        if self._recording is None:
            self._plain_left -= 1
            return self._recorder.prepare(lambda: step(x, y))
        return self._recording.replayed(x, y)

    def _record(self, step: Step, x: Tensor, y: Tensor) -> None:
        kept_x, kept_y = x.clone(), y.clone()
        try:
            losses, replay = self._recorder.record(lambda: step(kept_x, kept_y))
        except RuntimeError as error:
            if out_of_memory(error):
                raise  # a plain step needs as much
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("no CUDA graph of this step, it goes on kernel by kernel (%s=off: always): %s", SWITCH, reason)
            self._plain_left = math.inf
        else:
            self._recording = _Recording(kept_x, kept_y, losses, replay)


class CudaRecorder:
    """CUDA graphs, on one side stream (capturing the default one is not allowed)."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)

    def prepare(self, work: Callable[[], Tensor]) -> Tensor:
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = work()
        current.wait_stream(self._stream)
        result.record_stream(current)
        return result

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        graph = torch.cuda.CUDAGraph()
        # The outer context gives the stream back where a failed capture does not. Only this thread is watched: the one
        # that reads the next batch allocates page-locked memory meanwhile.
        with (
            torch.cuda.stream(torch.cuda.current_stream()),
            torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
        ):
            result = work()
        return result, graph.replay


def recorded_on(device: torch.device) -> RecordedStep | None:
    """A recorded step for a GPU; None elsewhere, and where the environment says CENBENCH_CUDA_GRAPHS=off."""
    setting = os.environ.get(SWITCH, "on")
    if setting not in ("on", "off"):
        raise UserError("unknown setting", key=SWITCH, found=setting, expected="on, off", fix=f"unset {SWITCH}")
    return RecordedStep(CudaRecorder(device)) if device.type == "cuda" and setting == "on" else None
