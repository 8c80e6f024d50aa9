"""A recorded step does what the step does, a batch and a seed at a time; here with a recorder that needs no GPU."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable
from functools import partial

import pytest
import torch
from checkout import Checkout
from test_gpu_step import EXCHANGE, trainer_of
from test_run_variants import variant
from torch import Tensor, nn

from cenbench.errors import UserError
from cenbench.train.recorded_step import PLAIN_STEPS, SWITCH, RecordedStep, recorded_on
from cenbench.train.translation import TranslationTrainer


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


def run(take: Callable[[Tensor, Tensor], Tensor], steps: int = PLAIN_STEPS + 4) -> list[Tensor]:
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
    recorded = RecordedStep(recorder)
    found = torch.stack(run(partial(recorded, recorded_step)))
    assert torch.equal(found, expected)
    assert len(found.unique()) == found.numel()  # no loss was written over by a later step's
    for ours, theirs in zip(recorded_network.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert recorded.replaying
    assert (recorder.prepared, recorder.replayed) == (PLAIN_STEPS, 4)


def test_a_step_that_cannot_be_recorded_is_taken_directly_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    expected = torch.stack(run(training()[1]))
    recorded = RecordedStep(Refusing())
    with caplog.at_level(logging.WARNING, "cenbench"):
        assert torch.equal(torch.stack(run(partial(recorded, training()[1]))), expected)
    assert not recorded.replaying
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1, "asked again at every step"
    assert "operation not permitted when stream is capturing" in messages[0]
    assert "more" not in messages[0]
    assert SWITCH in messages[0]


def test_a_batch_of_another_shape_is_refused() -> None:
    recorded, step = RecordedStep(ByCalling()), training()[1]
    run(partial(recorded, step))
    with pytest.raises(ValueError, match=r"recorded for \(8, 4\), \(8, 2\), not for \(1, 4\)"):
        recorded(step, torch.randn(1, 4), torch.randn(1, 2))


def test_running_out_of_memory_is_told_as_that() -> None:
    class Full(ByCalling):
        def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        run(partial(RecordedStep(Full()), training()[1]))


class HalfWay(ByCalling):
    """A capture that breaks in the middle of the step, in the discriminator's second pass."""

    def __init__(self, trainer: TranslationTrainer) -> None:
        super().__init__()
        self._discriminator = trainer.discriminator

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        def refuse(*_: object) -> None:
            if not next(self._discriminator.parameters()).requires_grad:
                raise RuntimeError("operation failed due to a previous error during capture")

        hook = self._discriminator.register_forward_pre_hook(refuse)
        try:
            work()
        finally:
            hook.remove()
        raise AssertionError("the second pass was not reached")


@pytest.fixture
def trainer(prepared_checkout: Checkout) -> TranslationTrainer:
    cell = variant(prepared_checkout, "translation", EXCHANGE)
    made = trainer_of(cell, prepared_checkout.root / "data" / "prepared", torch.device("cpu"))
    assert isinstance(made, TranslationTrainer)
    return made


def test_a_recording_that_breaks_half_way_leaves_a_trainer_that_goes_on(trainer: TranslationTrainer) -> None:
    trainer.recorded = RecordedStep(HalfWay(trainer))
    losses = torch.stack([trainer.step(step) for step in range(PLAIN_STEPS + 2)])
    assert not trainer.recorded.replaying
    assert bool(losses.isfinite().all())
    assert all(weight.requires_grad for weight in trainer.discriminator.parameters())


def test_a_trainer_is_gone_when_nobody_holds_it(prepared_checkout: Checkout) -> None:
    cell = variant(prepared_checkout, "translation", EXCHANGE)
    other = trainer_of(cell, prepared_checkout.root / "data" / "prepared", torch.device("cpu"))
    assert isinstance(other, TranslationTrainer)
    other.recorded = RecordedStep(Refusing())  # the other stand-in keeps the work to replay it; a CUDA graph does not
    for step in range(PLAIN_STEPS + 2):
        other.step(step)
    gone = weakref.ref(other)
    gc.disable()
    try:
        del other
        assert gone() is None, "its networks and the recording's memory would stay through the evaluation"
    finally:
        gc.enable()


def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded_on(torch.device("cpu")) is None
    monkeypatch.setenv(SWITCH, "off")
    assert recorded_on(torch.device("cuda")) is None
    monkeypatch.setenv(SWITCH, "never")
    with pytest.raises(UserError, match=SWITCH):
        recorded_on(torch.device("cpu"))
