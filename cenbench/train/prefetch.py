"""Batches off the critical path: the next one is cut and augmented while the device works on this one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from cenbench.train.loop import Batches

Batch = tuple[Tensor, Tensor]


class Prefetched:
    """The same batches, one step ahead in a thread, in page-locked memory so that copies to a GPU need no waiting."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
        self._next: tuple[int, Future[Batch]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        return self._batches.steps_per_epoch

    def batch(self, step: int) -> Batch:
        """The batch of `step`; then the one after it is begun."""
        ready = self._next[1] if self._next is not None and self._next[0] == step else self._begin(step)
        batch = ready.result()
        self._next = (step + 1, self._begin(step + 1))
        return batch

    def _begin(self, step: int) -> Future[Batch]:
        return self._thread.submit(self._make, step)

    def _make(self, step: int) -> Batch:
        inputs, target = self._batches.batch(step)
        if not torch.cuda.is_available():
            return inputs, target
        return inputs.pin_memory(), target.pin_memory()


def for_device(batches: Batches, device: torch.device) -> Batches:
    """Prefetched where a GPU trains; on a CPU the thread would only take the time it saves."""
    return Prefetched(batches) if device.type == "cuda" else batches
