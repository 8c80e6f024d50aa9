"""What a fusion method that acts at points of a network is: one operator a point, made by its file in `nn/fusion`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class FusionOperator(nn.Module, ABC):
    """Fuses the feature maps of M modalities, C channels each, at one point of a network.

    An operator has one set of weights however many modalities go through it, and whatever the encoders share: what it
    adds to a network is `parameter_count`, the tables' "parameters used for fusion".
    """

    penalised = False
    """Whether `penalty` is a term of the training loss."""

    def __init__(self, modalities: int, channels: int) -> None:
        super().__init__()
        self.modalities, self.channels = modalities, channels

    @staticmethod
    @abstractmethod
    def parameter_count(modalities: int, channels: int) -> int:
        """How many parameters an operator has, in closed form."""

    @abstractmethod
    def forward(self, x_BMCHW: Tensor) -> Tensor:
        """Parallel streams go on: `x_BMCHW -> y_BMCHW`."""

    def merge(self, x_BMCHW: Tensor) -> Tensor:
        """One stream goes on: `x_BMCHW -> y_B1CHW`. Only where the method's file says MERGES."""
        raise NotImplementedError

    def penalty(self, y_BMCHW: Tensor) -> Tensor:
        """A scalar to be added to the loss, of what `forward` gave."""
        return y_BMCHW.new_zeros(())


def own_first(x_BMCHW: Tensor) -> Tensor:
    """Every modality's view of the stack: itself, then the others in turn, (B*M, M*C, H, W)."""
    B, M, C, H, W = x_BMCHW.shape
    turned = torch.stack([x_BMCHW.roll(-place, dims=1) for place in range(M)], dim=2)
    return turned.reshape(B * M, M * C, H, W)
