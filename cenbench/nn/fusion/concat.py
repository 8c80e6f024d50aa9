"""Concatenation: feature maps stacked on channels, and a 1x1 convolution back to C (paper.md#fusion-baselines)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cenbench.nn.fusion_operator import FusionOperator, own_first

LABEL = "Concat"
ACTS = "points"
MERGES = True
INPUTS = (2, None)


class Operator(FusionOperator):
    """`x_BMCHW -> y_BMCHW`: modality m continues with conv([x_m, x_m+1, ...]), one convolution for all of them.

    Each modality's own maps come first in its stack, so the outputs stay distinct; M C^2 parameters.
    """

    def __init__(self, modalities: int, channels: int) -> None:
        super().__init__(modalities, channels)
        self.conv = nn.Conv2d(modalities * channels, channels, 1, bias=False)

    @staticmethod
    def parameter_count(modalities: int, channels: int) -> int:
        return modalities * channels**2

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        return torch.unflatten(self.conv(own_first(x_BMCHW)), 0, x_BMCHW.shape[:2])

    def merge(self, x_BMCHW: Tensor) -> Tensor:
        y: Tensor = self.conv(x_BMCHW.flatten(1, 2))
        return y.unsqueeze(1)
