"""Propose lambda and theta for a wanted share of exchanged channels, from short trainings on the training split."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cenbench.data.prepared import Prepared
from cenbench.errors import CellFailed, UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.matrix.steps import total_steps
from cenbench.nn.exchange import replaced
from cenbench.nn.sparsity import Sparsity
from cenbench.paths import Paths
from cenbench.train.device import choose_device
from cenbench.train.loop import train_steps
from cenbench.train.setup import Setup
from cenbench.train.task import training_of

LAMBDA_FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
THETA_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""What is tried, as multiples of the cell's own lambda and theta."""
CLOSE = 0.05
"""A proposal within this of the wanted share is close to it."""


@dataclass(frozen=True)
class Trial:
    """A short training with one lambda."""

    lambda_l1: float
    shares: tuple[float, ...]
    """Share of the channels of exchanging norms under each theta, after the last step."""
    failed: str | None = None
    """Why the training ended early, e.g. a loss that is not finite; then there are no shares."""


@dataclass(frozen=True)
class Suggestion:
    """The proposal and its evidence."""

    wanted: float
    thetas: tuple[float, ...]
    trials: tuple[Trial, ...]
    steps: int
    total: int
    """Steps of the cell's whole training."""
    lambda_l1: float
    theta: float
    share: float
    """The share at the proposed settings, the nearest to the wanted one."""

    @property
    def is_close(self) -> bool:
        return abs(self.share - self.wanted) <= CLOSE


def suggest_lambda(
    cell: Cell,
    paths: Paths,
    wanted: float,
    *,
    steps: int | None = None,
    device_name: str = "auto",
    progress: Callable[[str], None] = lambda line: None,
) -> Suggestion:
    """Train the cell's network briefly with several lambdas and count what is under several thetas.

    `steps` per training, by default those of the cell, at most 200. Only training scenes are read; nothing is evaluated
    and nothing is written to the results. The trainings use the cell's own theta; the shares under the others are those
    of its factors. Raises `UserError` for a cell that has no l1 term or does not exchange, a share that is not between
    0 and 1, and where every training fails; `CellSkipped` where pretrained weights are absent.
    """
    _check(cell, wanted, steps)
    prepared = Prepared.open(paths.data / dataset_key(cell.dataset))
    device, total = choose_device(device_name), total_steps(cell)
    taken = min(total, 200) if steps is None else min(total, steps)
    thetas = tuple(factor * cell.protocol.theta for factor in THETA_FACTORS)
    trials = []
    for number, factor in enumerate(LAMBDA_FACTORS, start=1):
        lambda_l1 = factor * cell.protocol.lambda_l1
        progress(f"training {number} of {len(LAMBDA_FACTORS)}: lambda {lambda_l1:g}, {taken} steps")
        changed = cell.model_copy(update={"protocol": cell.protocol.model_copy(update={"lambda_l1": lambda_l1})})
        trials.append(_trial(Setup(changed, prepared, device, paths), taken, thetas))
    return _proposal(cell, wanted, thetas, trials, taken, total)


def _check(cell: Cell, wanted: float, steps: int | None) -> None:
    if not (math.isfinite(wanted) and 0 < wanted < 1):
        raise UserError(
            "not a share of channels", key="--share", found=f"{100 * wanted:g} %", expected="above 0 %, below 100 %"
        )
    if steps is not None and steps < 1:
        raise UserError("too few steps", key="--steps", found=steps, expected="at least 1")
    if cell.fusion != "exchange" or cell.l1 == "none" or cell.protocol.lambda_l1 == 0:
        raise UserError(
            "this cell does not use lambda and theta",
            key="fusion, l1, lambda_l1",
            found=f"{cell.fusion}, {cell.l1}, {cell.protocol.lambda_l1:g}",
            expected="fusion exchange, l1 half or all, lambda_l1 above 0",
        )


def _trial(setup: Setup, steps: int, thetas: Sequence[float]) -> Trial:
    cell, training = setup.cell, training_of(setup.cell)
    lambda_l1 = cell.protocol.lambda_l1
    batches = training.batches(setup)
    trainer = training.trainer(setup, batches)
    with tempfile.TemporaryDirectory() as folder:  # for the resumable state, which a short training need not keep
        try:
            train_steps(
                trainer,
                folder=Path(folder),
                seed=cell.seed,
                total=steps,
                steps_per_epoch=batches.steps_per_epoch,
                identity={"training_id": cell.training_id},
            )
        except CellFailed as error:
            return Trial(lambda_l1, (), error.problem)
    return Trial(lambda_l1, tuple(_share(trainer.sparsity, theta) for theta in thetas))


def _share(sparsity: Sparsity, theta: float) -> float:
    """Share of the channels of all exchanging norms and modalities that exchange would replace at this theta."""
    masks = [
        replaced(norm.gamma_MC().detach(), theta, norm.own_part_MC)
        for norm in sparsity.norms.values()
        if norm.theta is not None
    ]
    return float(torch.cat(masks, dim=1).double().mean())


def _proposal(
    cell: Cell, wanted: float, thetas: tuple[float, ...], trials: Sequence[Trial], steps: int, total: int
) -> Suggestion:
    """The pair whose share is nearest to the wanted one; of equals, the one nearest to the cell's own settings."""
    found = []
    for trial in trials:
        for theta, share in zip(thetas, trial.shares, strict=False):
            change = abs(math.log(trial.lambda_l1 / cell.protocol.lambda_l1)) + abs(
                math.log(theta / cell.protocol.theta)
            )
            found.append((abs(share - wanted), change, trial.lambda_l1, theta, share))
    if not found:
        raise UserError(
            "every short training failed", found=trials[0].failed, fix="check the cell's learning rates and data"
        )
    _, _, lambda_l1, theta, share = min(found)
    return Suggestion(wanted, thetas, tuple(trials), steps, total, lambda_l1, theta, share)
