"""Damaged state, other code, SIGTERM, a loss that stops being a number: named, nothing lost, nothing silently used."""

from __future__ import annotations

import errno
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from faults import Tally
from refusing_files import closed
from torch import Tensor, nn

from cenbench.errors import CellFailed, UserError
from cenbench.regular_file import Unreadable
from cenbench.train import loop
from cenbench.train.loop import Stopped, train_steps
from cenbench.train.state import load_state, save_state
from cenbench.train.trained import finish, load_weights, open_finished

IDENTITY = {"training_id": "a cell", "training_code": "x", "data": "y"}
TOTAL = 60


class Line:
    """Fits a line by momentum SGD: a whole trainer, in microseconds per step."""

    losses = ("distance",)

    def __init__(self, *, bad_step: int | None = None, at: dict[int, Any] | None = None) -> None:
        torch.manual_seed(7)
        self.network: nn.Module = nn.Linear(3, 2)
        self.bad_step, self.at = bad_step, at or {}
        self.taken: list[int] = []
        self._optimizer: torch.optim.SGD | None = None

    def begin(self, step: int) -> None:
        if self._optimizer is None:
            self._optimizer = torch.optim.SGD(self.network.parameters(), lr=0.05, momentum=0.9)

    def step(self, step: int) -> Tensor:
        assert self._optimizer
        self.taken.append(step)
        self.at.get(step, lambda: None)()
        x = torch.randn(4, 3)  # from the seed of this step
        loss = (self.network(x) - x[:, :2]).square().mean() * (float("nan") if step == self.bad_step else 1.0)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss.detach()[None]

    def learning_rates(self) -> dict[str, float]:
        return {"lr": 0.05}

    def below_theta(self) -> dict[str, Tensor]:
        return {"below_theta_rgb": torch.tensor(0.25)}

    def state_dict(self) -> dict[str, Any]:
        assert self._optimizer
        return {"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert self._optimizer
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])


def train(trainer: Line, folder: Path, identity: dict[str, str] = IDENTITY) -> bytes:
    return train_steps(trainer, folder=folder, seed=3, total=TOTAL, steps_per_epoch=10, identity=identity)


@pytest.fixture(autouse=True)
def save_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 1e9)


@pytest.fixture
def uninterrupted(tmp_path: Path) -> tuple[bytes, Tensor]:
    trainer = Line()
    return train(trainer, tmp_path / "whole"), trainer.network.weight.detach()


class Killed(Exception):
    """Stands for a death: nothing in the loop catches it."""


def die() -> None:
    raise Killed


def interrupted(folder: Path, step: int) -> None:
    with pytest.raises(Killed):
        train(Line(at={step: die}), folder)


def test_continued_run_is_bitwise_the_uninterrupted_one(tmp_path: Path, uninterrupted: tuple[bytes, Tensor]) -> None:
    for step in (1, 25, 58):
        folder = tmp_path / str(step)
        interrupted(folder, step)
        trainer = Line()
        assert train(trainer, folder) == uninterrupted[0]
        assert torch.equal(trainer.network.weight, uninterrupted[1])
        assert trainer.taken[0] == step, "it continued where it was"


@pytest.mark.parametrize("damage", ["cut short", "changed", "emptied"])
def test_damaged_state_is_named_and_the_one_before_is_used(
    tmp_path: Path,
    uninterrupted: tuple[bytes, Tensor],
    damage: str,
    caplog: pytest.LogCaptureFixture,
    faults: Callable[[str], Tally],
) -> None:
    interrupted(tmp_path, 30)
    state = tmp_path / "state.pt"
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes({"cut short": bytes(data[:-9]), "changed": bytes(data), "emptied": b""}[damage])
    trainer = Line()
    with caplog.at_level(logging.WARNING), faults("damaged resumable state").one():
        assert train(trainer, tmp_path) == uninterrupted[0]
    assert trainer.taken[0] == 29, "from the state before"
    assert str(state) in caplog.text
    assert "damaged" in caplog.text


def test_state_that_holds_code_is_refused(tmp_path: Path) -> None:
    """A checkpoint is never unpickled, even one whose checksum is right."""
    save_state(tmp_path, {"step": 1, "evil": os.system})
    assert load_state(tmp_path) is None


def test_state_of_other_code_or_data_is_not_used(tmp_path: Path, uninterrupted: tuple[bytes, Tensor]) -> None:
    interrupted(tmp_path, 30)
    trainer = Line()
    assert train(trainer, tmp_path, {**IDENTITY, "training_code": "another"}) == uninterrupted[0]
    assert trainer.taken[0] == 0


def test_sigterm_saves_and_the_next_run_continues(tmp_path: Path, uninterrupted: tuple[bytes, Tensor]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match=r"step 18 of 60; the state is saved"):
        train(Line(at={17: lambda: os.kill(os.getpid(), signal.SIGTERM)}), tmp_path)
    assert signal.getsignal(signal.SIGTERM) == before
    trainer = Line()
    assert train(trainer, tmp_path) == uninterrupted[0]
    assert trainer.taken[0] == 18


def test_non_finite_loss_fails_with_step_and_last_values(tmp_path: Path, uninterrupted: tuple[bytes, Tensor]) -> None:
    with pytest.raises(CellFailed) as caught:
        train(Line(bad_step=23), tmp_path)
    before = uninterrupted[0].decode().splitlines()[23].split(",")
    assert before[0] == "23", "the last of 23 good steps, 0 to 22"
    assert "non-finite loss at step 23: distance" in str(caught.value)
    assert f"last finite values: distance {float(before[2]):.4g}" in str(caught.value)
    assert "learning rate" in str(caught.value)


def test_history_has_losses_rates_and_shares_at_fixed_steps(
    tmp_path: Path, uninterrupted: tuple[bytes, Tensor]
) -> None:
    lines = uninterrupted[0].decode().splitlines()
    assert lines[0] == "step,epoch,distance,lr,below_theta_rgb"
    steps = [int(line.split(",")[0]) for line in lines[1:]]
    assert steps == list(range(1, TOTAL + 1))
    assert lines[-1].startswith("60,6,")
    assert lines[-1].endswith(",0.05,0.25")


def test_finished_weights_are_checked_and_made_again_when_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = nn.Linear(3, 2)
    finish(tmp_path, network, b"step\n1\n", 1, IDENTITY)
    found = open_finished(tmp_path, IDENTITY)
    assert found is not None
    assert found.history == b"step\n1\n"
    loaded = nn.Linear(3, 2)
    load_weights(loaded, tmp_path)
    assert torch.equal(loaded.weight, network.weight)
    assert open_finished(tmp_path, {**IDENTITY, "data": "other"}) is None
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        assert open_finished(tmp_path, IDENTITY) is None
    assert "weights.safetensors is damaged" in caplog.text
    with pytest.raises(UserError, match="cannot be loaded"):
        load_weights(loaded, tmp_path)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("name", ["finished.json", "weights.safetensors"])
def test_finished_weights_that_cannot_be_read_are_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    finish(tmp_path, nn.Linear(3, 2), b"step\n1\n", 1, IDENTITY)
    with closed(tmp_path / name, monkeypatch, number), pytest.raises(Unreadable, match=name):
        open_finished(tmp_path, IDENTITY)
    assert open_finished(tmp_path, IDENTITY) is not None


def test_full_disk_while_saving_keeps_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: tuple[bytes, Tensor]
) -> None:
    interrupted(tmp_path, 30)
    good = (tmp_path / "state.pt").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(UserError, match="no room to write") as caught:
        patch.setattr(os, "fsync", full)
        train(Line(), tmp_path)
    assert "rerun the command" in str(caught.value)
    assert (tmp_path / "state.pt").read_bytes() == good
    assert train(Line(), tmp_path) == uninterrupted[0]
