"""Batches off the critical path: the next one is read while the device works on the current one.

A thread reads what the crops of a step need, as stored, in one or two bytes per value. It is copied to the GPU in that
form, and scaled and normalised there. The host only queues this work and never waits for the device.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from cenbench.data.split import StoredBatch
from cenbench.train.trainer import Batches, TwoPartBatches


class Prefetched:
    """The same batches on a device, read one step ahead in a thread.

    Copies to a GPU go through page-locked memory, so they do not block.
    """

    def __init__(self, batches: TwoPartBatches, device: torch.device) -> None:
        self._batches, self._device = batches, device
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
        self._next: tuple[int, Future[StoredBatch]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        return self._batches.steps_per_epoch

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of `step`; starts reading the next one."""
        ready = self._next[1] if self._next is not None and self._next[0] == step else self._begin(step)
        stored = ready.result()
        self._next = (step + 1, self._begin(step + 1))
        return self._batches.prepare(stored.moved(lambda tensor: tensor.to(self._device, non_blocking=True)))

    def _begin(self, step: int) -> Future[StoredBatch]:
        return self._thread.submit(self._read, step)

    def _read(self, step: int) -> StoredBatch:
        stored = self._batches.read(step)
        return stored.moved(Tensor.pin_memory) if self._device.type == "cuda" else stored


def for_device(batches: TwoPartBatches, device: torch.device) -> Batches:
    """Prefetched for a GPU; on a CPU the thread would compete with the training for the same cores."""
    return Prefetched(batches, device) if device.type == "cuda" else batches
