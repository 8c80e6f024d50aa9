"""Alignment: a multi-kernel MMD with 11 Gaussian kernels pulls the modalities together (paper.md#fusion-baselines).

After Song et al., Modality Compensation Network (IEEE TIP 2020): a residual adaptation block, shared by all
modalities, maps the features into a common space, where the MMD of Long et al. (ICML 2015) between every two is
penalised. Features of different modalities are never mixed, so the method cannot merge them into one stream.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.fusion_operator import FusionOperator
from cenbench.nn.mmd import mk_mmd, positions

LABEL = "Align"
ACTS = "points"
MERGES = False
INPUTS = (2, None)
PARAMETERS = {"weight": {"default": 1.0, "min": 0.0}}
"""`weight`: of the MMD in the training loss."""


class Operator(FusionOperator):
    """`x_BMCHW -> y_BMCHW = x + conv1x1(relu(conv3x3(x)))`; 10 C^2 parameters, shared by the modalities."""

    penalised = True

    def __init__(self, modalities: int, channels: int, weight: float) -> None:
        super().__init__(modalities, channels)
        self.weight = weight
        self.conv3 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)

    @staticmethod
    def parameter_count(modalities: int, channels: int) -> int:
        return 10 * channels**2

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        x = x_BMCHW.flatten(0, 1)
        y: Tensor = x + self.conv1(F.relu(self.conv3(x)))
        return y.view_as(x_BMCHW)

    def penalty(self, y_BMCHW: Tensor) -> Tensor:
        """`weight` times the mean over pairs of modalities of the squared MMD; positions of the maps are samples."""
        samples_MNC = positions(y_BMCHW)
        return self.weight * torch.stack([mk_mmd(a, b) for a, b in combinations(samples_MNC, 2)]).mean()
