"""A recorded step does what the step does, a batch and a seed at a time; here with a recorder that needs no GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cenbench.train.recorded_step import EAGER_STEPS, RecordedStep


class ByCalling:
    """As a CUDA graph: recording does nothing yet, a replay fills the tensors that the recording returned."""

    def __init__(self) -> None:
        self.prepared = self.replayed = 0

    def prepare(self, work: Callable[[], Tensor]) -> Tensor:
        self.prepared += 1
        return work()

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        losses = torch.full((2,), torch.nan)

        def replay() -> None:
            self.replayed += 1
            losses.copy_(work())

        return losses, replay


class Refusing(ByCalling):
    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")


def training() -> tuple[nn.Linear, Callable[[Tensor, Tensor], Tensor]]:
    torch.manual_seed(3)
    network = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)

    def step(x: Tensor, y: Tensor) -> Tensor:
        loss = (nn.functional.dropout(network(x), 0.5) - y).square().mean(0)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        return loss.detach()

    return network, step


def run(take: Callable[[Tensor, Tensor], Tensor], steps: int = EAGER_STEPS + 4) -> list[Tensor]:
    losses = []
    for number in range(steps):
        torch.manual_seed(100 + number)
        losses.append(take(torch.randn(8, 4), torch.randn(8, 2)))
    return losses


def test_every_step_takes_its_own_batch_and_keeps_its_own_losses() -> None:
    network, step = training()
    expected = torch.stack(run(step))
    recorder = ByCalling()
    recorded_network, recorded_step = training()
    recorded = RecordedStep(recorded_step, recorder)
    found = torch.stack(run(recorded))
    assert torch.equal(found, expected)
    assert len(found.unique()) == found.numel()  # no loss was written over by a later step's
    for ours, theirs in zip(recorded_network.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert recorded.recorded
    assert (recorder.prepared, recorder.replayed) == (EAGER_STEPS, 4)


def test_a_step_that_cannot_be_recorded_goes_on_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    expected = torch.stack(run(training()[1]))
    recorded = RecordedStep(training()[1], Refusing())
    with caplog.at_level(logging.WARNING, "cenbench"):
        assert torch.equal(torch.stack(run(recorded)), expected)
    assert not recorded.recorded
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1, "asked again at every step"
    assert "operation not permitted when stream is capturing" in messages[0]
    assert "more" not in messages[0]
