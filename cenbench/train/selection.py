"""Which weights are evaluated in the end: the last ones, or those that scored best on the validation split.

The second is what the released code does (protocol `official`); it selects on the split it reports
(paper.md#selection).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from cenbench.matrix.cell import Cell

log = logging.getLogger("cenbench")
Score = Callable[[nn.Module], float]
"""How good a network is on the validation split; higher is better."""


class BestWeights:
    """Validates every `every` steps and keeps a copy of the weights that scored best, the first of equals."""

    def __init__(self, score: Score, every: int) -> None:
        self._score, self._every = score, every
        self._best: float | None = None
        self._step = 0
        self._weights: dict[str, Tensor] = {}

    def due(self, step: int, total: int) -> bool:
        return step % self._every == 0 or step == total

    def validate(self, network: nn.Module, step: int) -> None:
        """Score `network` in evaluation mode; afterwards it is back in training mode."""
        score = self._score(network.eval())
        network.train()
        log.info("step %d: validation score %.4f", step, score)
        if self._best is None or score > self._best:
            self._best, self._step = score, step
            self._weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

    def restore(self, network: nn.Module) -> None:
        """Load the weights that scored best into `network`."""
        log.info("the weights of step %d scored best: %.4f", self._step, self._best)
        network.load_state_dict(self._weights)

    @property
    def chosen(self) -> dict[str, float | int]:
        """The step whose weights scored best, and their score."""
        assert self._best is not None  # every training ends with a validation
        return {"step": self._step, "score": self._best}

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "step": self._step, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._best, self._step, self._weights = state["best"], state["step"], state["weights"]


def best_weights(cell: Cell, score: Score, steps_per_epoch: int) -> BestWeights | None:
    """The selection that the cell's protocol asks for; None where it keeps the last weights."""
    if cell.protocol.selection == "last":
        return None
    return BestWeights(score, cell.protocol.select_every_epochs * steps_per_epoch)
