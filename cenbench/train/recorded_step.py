"""A training step recorded once and replayed as a CUDA graph: one launch instead of about a thousand.

With a U-Net at batch size 1 a GPU waits for its host: each kernel ends before the next one is launched. The graph holds
the whole step: the passes of both networks and both optimisers. Kernels and random draws are the same: a replay reads
torch's current seed, so dropout draws what it would draw without recording.
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
"""A batch (x, y) -> losses, all on one device: fixed shapes, no host reads, side effects on persistent tensors only."""
PLAIN_STEPS = 3
"""Steps before the recording, so that optimisers have their state and convolutions their algorithms."""
SWITCH = "CENBENCH_CUDA_GRAPHS"


class Recorder(Protocol):
    """Records work for replay."""

    def prepare(self, work: Callable[[], Tensor]) -> Tensor:
        """Run `work` on the stream where it will be recorded."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """Record `work` without running it: its result, still to be filled, and a function that runs it.

        RuntimeError where `work` cannot be recorded.
        """


@dataclass(frozen=True)
class _Recording:
    """A recorded step with the tensors it reads and writes."""

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
        # The next replay overwrites these.
        return self.losses.clone()


class RecordedStep:
    """Takes steps: the first ones directly, later ones by replaying a recording.

    A step that cannot be recorded is always taken directly, with a warning. The caller passes the same step at each
    call instead of storing it here: stored, the step's owner and this object would keep each other alive.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._plain_left: float = PLAIN_STEPS
        self._recording: _Recording | None = None

    @property
    def replaying(self) -> bool:
        """Whether calls replay the recording."""
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
                raise  # a direct step needs as much memory
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("no CUDA graph of this step: it runs kernel by kernel, as with %s=off: %s", SWITCH, reason)
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
        # The outer context restores the stream, which a failed capture does not. Only this thread is captured: the one
        # that reads the next batch allocates page-locked memory meanwhile.
        with (
            torch.cuda.stream(torch.cuda.current_stream()),
            torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
        ):
            result = work()
        return result, graph.replay


def recorded_on(device: torch.device) -> RecordedStep | None:
    """A recorded step for a GPU; None on other devices, and if CENBENCH_CUDA_GRAPHS=off is set."""
    setting = os.environ.get(SWITCH, "on")
    if setting not in ("on", "off"):
        raise UserError("unknown setting", key=SWITCH, found=setting, expected="on, off", fix=f"unset {SWITCH}")
    return RecordedStep(CudaRecorder(device)) if device.type == "cuda" and setting == "on" else None
