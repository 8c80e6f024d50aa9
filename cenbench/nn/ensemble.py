"""The ensemble: a sum of the modalities' outputs, weighted by the softmax of learned scores (paper.md#ensemble)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Appends the ensemble to the modalities' outputs: `y_BMCHW -> y_BSCHW`, S = M + 1.

    The outputs are detached before they are summed, so the ensemble's loss trains the scores `alpha` only.
    """

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(modalities))

    def weights_M(self) -> Tensor:
        """The weight of each modality; they sum to one."""
        return torch.softmax(self.alpha, dim=0)

    def forward(self, y_BMCHW: Tensor) -> Tensor:
        weighted = self.weights_M()[:, None, None, None] * y_BMCHW.detach()
        return torch.cat([y_BMCHW, weighted.sum(1, keepdim=True)], dim=1)
