"""Batches made ahead are the batches asked for; a mistake in one is told where it is used."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cenbench.train.prefetch import Prefetched, for_device


class Numbered:
    """Batch n is full of n; n = 5 is broken."""

    steps_per_epoch = 3

    def __init__(self) -> None:
        self.made: list[int] = []

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        self.made.append(step)
        if step == 5:
            raise ValueError("batch 5 cannot be read")
        return torch.full((2,), float(step)), torch.tensor(step)


def test_same_batches_in_any_order() -> None:
    ahead = Prefetched(Numbered())
    assert ahead.steps_per_epoch == 3
    for step in (0, 1, 2, 7, 3, 3, 0):
        inputs, target = ahead.batch(step)
        assert inputs.tolist() == [step, step]
        assert int(target) == step


def test_in_order_each_batch_is_made_once_and_one_ahead() -> None:
    batches = Numbered()
    ahead = Prefetched(batches)
    for step in range(4):
        ahead.batch(step)
    ahead._thread.shutdown()
    assert batches.made == [0, 1, 2, 3, 4]


def test_a_broken_batch_raises_where_it_is_asked_for() -> None:
    ahead = Prefetched(Numbered())
    ahead.batch(4)  # begins 5 in the background
    with pytest.raises(ValueError, match="batch 5 cannot be read"):
        ahead.batch(5)


def test_a_cpu_takes_them_as_they_are() -> None:
    batches = Numbered()
    assert for_device(batches, torch.device("cpu")) is batches
    assert isinstance(for_device(batches, torch.device("cuda")), Prefetched)
