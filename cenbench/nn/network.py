"""What the networks of both tasks have in common: parallel streams in, predictions and an ensemble out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from cenbench.nn.ensemble import Ensemble


class Outputs(NamedTuple):
    """What a network returns in training: its predictions, and terms of the loss that arise inside it."""

    y_BSCHW: Tensor
    """The output streams, the ensemble last."""
    penalty: Tensor
    """Sum of the fusion operators' penalties, a scalar; zero for methods without one and outside training."""
    auxiliary_BMCHW: Tensor | None = None
    """A head's auxiliary predictions, one per modality; None where it has none, and outside training."""


class Network(nn.Module, ABC):
    """`x_BM3HW -> y_BSChw`, S output streams of which the last is the ensemble."""

    ensemble: Ensemble
    penalised: bool
    """Whether the training loss has a fusion penalty."""

    @property
    def first_constrained_conv(self) -> int:
        """Number of the first encoder convolution with a constrained norm, as the paper's figures count them."""
        return 1

    @abstractmethod
    def outputs(self, x_BMCHW: Tensor) -> Outputs:
        """Predictions, and the other terms of the loss."""

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        return self.outputs(x_BMCHW).y_BSCHW
