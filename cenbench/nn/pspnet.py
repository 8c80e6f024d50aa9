"""The pyramid scene parsing head over parallel modalities (Zhao et al., CVPR 2017, figures 3 and 4).

Shape suffixes: B batch, M modalities, C channels, K classes, H height, W width; lowercase h, w: of a smaller map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.conv import ModalityConv
from cenbench.nn.sharing import Sharing

BINS = (1, 2, 3, 6)
BRANCH_SHARE = 4
"""Each bin's branch has the channels of the last stage divided by this: all branches together have as many."""


class ConvUnit(nn.Module):
    """Convolution, norm, ReLU: `x_BMCHW -> y_BMCHW`, same height and width."""

    def __init__(self, sharing: Sharing, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = sharing.conv(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = sharing.norm(outputs)

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x_BMCHW)))


class PyramidBranch(nn.Module):
    """`x_BMCHW` averaged over a `grid` x `grid` grid, a 1x1 convolution, and upsampled to its size: `y_BMCHW`."""

    def __init__(self, sharing: Sharing, inputs: int, outputs: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.unit = ConvUnit(sharing, inputs, outputs, 1)

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        B, M, _, H, W = x_BMCHW.shape
        self._check(B, M)
        # Pooling and upsampling treat all modalities alike, and folding around them makes views only.
        pooled_BMChw = F.adaptive_avg_pool2d(x_BMCHW.flatten(0, 1), self.grid).unflatten(0, (B, M))
        y = F.interpolate(self.unit(pooled_BMChw).flatten(0, 1), size=(H, W), mode="bilinear", align_corners=True)
        return torch.unflatten(y, 0, (B, M))

    def _check(self, batch: int, modalities: int) -> None:
        norm = self.unit.norm
        values = batch * self.grid**2 * (modalities if norm.statistics_shared else 1)
        if norm.training and not norm.frozen and values == 1:
            # torch raises an error too, but one that does not mention the batch size.
            raise ValueError("PSPNet's 1x1 bin needs at least two images a batch while norm statistics are trained")


class PSPNet(nn.Module):
    """Pyramid scene parsing head (Zhao et al., CVPR 2017): stages_BMCHW -> logits_BMKhw at 1/8 of the image's size.

    `inputs` are the channels of the four dilated stages, `width` those before the classifier (512 in the paper).
    Adaptive pooling has no deterministic backward pass on CUDA, so training there repeats only up to rounding.
    """

    def __init__(self, sharing: Sharing, inputs: Sequence[int], width: int, classes: int, dropout: float) -> None:
        super().__init__()
        branch, supervised = max(1, inputs[3] // BRANCH_SHARE), max(1, width // 2)
        self.branches = nn.ModuleList(PyramidBranch(sharing, inputs[3], branch, grid) for grid in BINS)
        self.head = ConvUnit(sharing, inputs[3] + len(BINS) * branch, width, 3)
        self.classifier = sharing.conv(width, classes, 1, bias=True)
        self.auxiliary_head = ConvUnit(sharing, inputs[2], supervised, 3)
        self.auxiliary_classifier = sharing.conv(supervised, classes, 1, bias=True)
        self.dropout = nn.Dropout(dropout)
        for module in self.modules():
            if isinstance(module, ModalityConv):
                for weight in module.weights():
                    nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")

    def forward(self, stages_BMCHW: Sequence[Tensor]) -> Tensor:
        """logits_BMKHW at the size of the last stage; ValueError if a norm in training sees one value per channel."""
        x_BMCHW = stages_BMCHW[3]
        pyramid_BMCHW = torch.cat([x_BMCHW, *(branch(x_BMCHW) for branch in self.branches)], dim=2)
        logits_BMKHW: Tensor = self.classifier(self.dropout(self.head(pyramid_BMCHW)))
        return logits_BMKHW

    def auxiliary(self, stages_BMCHW: Sequence[Tensor]) -> Tensor:
        """logits_BMKHW from the third stage, at its size: supervised in training, unused in evaluation."""
        logits_BMKHW: Tensor = self.auxiliary_classifier(self.dropout(self.auxiliary_head(stages_BMCHW[2])))
        return logits_BMKHW
