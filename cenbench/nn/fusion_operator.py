"""The interface of fusion methods that act at points of a network: one operator per point."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class FusionOperator(nn.Module, ABC):
    """Fuses the feature maps of M modalities, C channels each, at one point of a network.

    An operator has one set of weights, however many modalities pass through it and whatever the encoders share. It adds
    `parameter_count` parameters to the network: the tables' "parameters used for fusion". The constructor also takes
    the parameters that the method's file declares in PARAMETERS, by name.
    """

    penalised = False
    """Whether `penalty` is a term of the training loss."""

    def __init__(self, modalities: int, channels: int) -> None:
        super().__init__()
        self.modalities, self.channels = modalities, channels

    @staticmethod
    @abstractmethod
    def parameter_count(modalities: int, channels: int) -> int:
        """Number of trainable parameters of an operator, in closed form."""

    @abstractmethod
    def forward(self, x_BMCHW: Tensor) -> Tensor:
        """Fuse and keep the modalities parallel: `x_BMCHW -> y_BMCHW`."""

    def merge(self, x_BMCHW: Tensor) -> Tensor:
        """Merge the modalities into one stream: `x_BMCHW -> y_B1CHW`. Defined where the file declares MERGES = True."""
        raise NotImplementedError

    def penalty(self, y_BMCHW: Tensor) -> Tensor:
        """A scalar term of the loss, already weighted; `y_BMCHW` is the output of `forward`."""
        return y_BMCHW.new_zeros(())


def own_first(x_BMCHW: Tensor) -> Tensor:
    """The stack as each modality sees it: its own maps first, then the others in turn, (B*M, M*C, H, W)."""
    B, M, C, H, W = x_BMCHW.shape
    turned = torch.stack([x_BMCHW.roll(-place, dims=1) for place in range(M)], dim=2)
    return turned.reshape(B * M, M * C, H, W)
