"""Self-attention: the SSMA block of Valada, Mohan and Burgard (IJCV 2019), reduction 16 (paper.md#fusion-baselines).

The stacked maps pass through a bottleneck of 3x3 convolutions into a sigmoid gate on themselves; a 3x3 convolution
reduces the gated stack to C channels. No norms and no biases, as the paper's network sizes imply (20.25 C^2 parameters
for two modalities).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.fusion_operator import FusionOperator, own_first

LABEL = "Self-att."
ACTS = "points"
MERGES = True
INPUTS = (2, None)
REDUCTION = 16


class Operator(FusionOperator):
    """`x_BMCHW -> y_BMCHW`; each modality's own maps come first in its stack; all modalities share the weights."""

    def __init__(self, modalities: int, channels: int) -> None:
        super().__init__(modalities, channels)
        stacked, squeezed = modalities * channels, _squeezed(channels)
        self.squeeze = nn.Conv2d(stacked, squeezed, 3, padding=1, bias=False)
        self.excite = nn.Conv2d(squeezed, stacked, 3, padding=1, bias=False)
        self.reduce = nn.Conv2d(stacked, channels, 3, padding=1, bias=False)

    @staticmethod
    def parameter_count(modalities: int, channels: int) -> int:
        return 9 * modalities * channels * (2 * _squeezed(channels) + channels)

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        return torch.unflatten(self._fuse(own_first(x_BMCHW)), 0, x_BMCHW.shape[:2])

    def merge(self, x_BMCHW: Tensor) -> Tensor:
        return self._fuse(x_BMCHW.flatten(1, 2)).unsqueeze(1)

    def _fuse(self, stacked: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(stacked))))
        fused: Tensor = self.reduce(gate * stacked)
        return fused


def _squeezed(channels: int) -> int:
    return max(1, channels // REDUCTION)
