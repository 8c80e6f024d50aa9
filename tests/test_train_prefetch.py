"""Batches read ahead are the requested ones; an error in one is raised where it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from coded_dataset import coded_dataset, segmentation
from torch import Tensor

from cenbench.data.batches import SegmentationBatches
from cenbench.data.crop import taps
from cenbench.data.split import StoredBatch, StoredCrop
from cenbench.matrix.cell import Task
from cenbench.train.prefetch import Prefetched, for_device

CPU = torch.device("cpu")


class Numbered:
    """Batch n is full of n; n = 5 is broken."""

    steps_per_epoch = 3

    def __init__(self) -> None:
        self.steps_read: list[int] = []

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        return self.prepare(self.read(step))

    def read(self, step: int) -> StoredBatch:
        self.steps_read.append(step)
        if step == 5:
            raise ValueError("batch 5 cannot be read")
        line = taps(1, 1, 0, 1, "bilinear")
        return StoredBatch((StoredCrop((torch.full((1, 1), step),), {"bilinear": (line, line)}, False),), 1)

    def prepare(self, stored: StoredBatch) -> tuple[Tensor, Tensor]:
        (block,) = stored.crops[0].blocks
        return block.flatten().float().expand(2), block.sum()


def test_same_batches_in_any_order() -> None:
    ahead = Prefetched(Numbered(), CPU)
    assert ahead.steps_per_epoch == 3
    for step in (0, 1, 2, 7, 3, 3, 0):
        inputs, target = ahead.batch(step)
        assert inputs.tolist() == [step, step]
        assert int(target) == step


def test_in_order_each_batch_is_read_once_and_one_ahead() -> None:
    batches = Numbered()
    ahead = Prefetched(batches, CPU)
    for step in range(4):
        ahead.batch(step)
    ahead._thread.shutdown()
    assert batches.steps_read == [0, 1, 2, 3, 4]


def test_a_broken_batch_raises_where_it_is_asked_for() -> None:
    ahead = Prefetched(Numbered(), CPU)
    ahead.batch(4)  # begins 5 in the background
    with pytest.raises(ValueError, match="batch 5 cannot be read"):
        ahead.batch(5)


def test_a_cpu_takes_them_as_they_are() -> None:
    batches = Numbered()
    assert for_device(batches, CPU) is batches
    assert isinstance(for_device(batches, torch.device("cuda")), Prefetched)


def test_real_batches_read_ahead_are_the_same(tmp_path: Path) -> None:
    batches = SegmentationBatches(
        coded_dataset(tmp_path), Task.parse("rgb+depth->semantic"), segmentation(crop_px=9), seed=2
    )
    ahead = Prefetched(batches, CPU)
    for step in range(4):
        for found, expected in zip(ahead.batch(step), batches.batch(step), strict=True):
            assert torch.equal(found, expected)
