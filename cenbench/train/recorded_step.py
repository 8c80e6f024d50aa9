"""A training step recorded once and replayed as a CUDA graph: one launch in place of some thousand.

A U-Net at batch 1 keeps a GPU waiting for its host: each kernel is over before the next one is launched. What is
replayed is the whole step, both networks' passes and both optimisers. Same kernels, same random draws: a replay reads
torch's seed of that moment, so the step of a seed drops out what it would have dropped out unrecorded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

log = logging.getLogger("cenbench")
Step = Callable[[Tensor, Tensor], Tensor]
"""A batch (x, y) -> losses, all on one device: fixed shapes, nothing read back, every effect on tensors that stay."""
EAGER_STEPS = 3
"""Taken as they are before the recording, so that optimisers have their state and convolutions their algorithms."""


class Recorder(Protocol):
    """How work is recorded."""

    def prepare(self, work: Callable[[], Tensor]) -> Tensor:
        """Do `work` where it will be recorded."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """What `work` returns, still to be filled, and what does it: not done yet. RuntimeError where it can't be."""


class RecordedStep:
    """`step`, its first calls as they are, all others as replays of a recording: a `Step`.

    A step that can't be recorded goes on as it is, and the log says so.
    """

    def __init__(self, step: Step, recorder: Recorder) -> None:
        self._step, self._recorder = step, recorder
        self._eager_left, self._impossible = EAGER_STEPS, False
        self._inputs: tuple[Tensor, Tensor] | None = None
        self._losses: Tensor
        self._replay: Callable[[], None]

    @property
    def recorded(self) -> bool:
        """Whether calls are replays by now."""
        return self._inputs is not None

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        if self._eager_left:
            self._eager_left -= 1
            return self._recorder.prepare(lambda: self._step(x, y))
        if self._inputs is None and not self._impossible:
            self._record(x, y)
        if self._inputs is None:
            return self._step(x, y)
        for kept, new in zip(self._inputs, (x, y), strict=True):
            kept.copy_(new)
        self._replay()
        # The next replay writes over these.
        return self._losses.clone()

    def _record(self, x: Tensor, y: Tensor) -> None:
        kept_x, kept_y = x.clone(), y.clone()
        try:
            self._losses, self._replay = self._recorder.record(lambda: self._step(kept_x, kept_y))
        except RuntimeError as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("this step can't be recorded as a CUDA graph, its kernels are launched singly: %s", reason)
            self._impossible = True
        else:
            self._inputs = kept_x, kept_y


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


def recorded_on(device: torch.device, step: Step) -> Step:
    """`step`, recorded where `device` has something to record with; else as it is."""
    return RecordedStep(step, CudaRecorder(device)) if device.type == "cuda" else step
