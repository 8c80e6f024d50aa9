"""Average: every modality continues with the mean over modalities (the "average" rows of tables 4 and 6)."""

from __future__ import annotations

from torch import Tensor

from cenbench.nn.fusion_operator import FusionOperator

LABEL = "Average"
ACTS = "points"
MERGES = True
INPUTS = (2, None)


class Operator(FusionOperator):
    """`x_BMCHW -> y_BMCHW`, the same map M times. No parameters."""

    @staticmethod
    def parameter_count(modalities: int, channels: int) -> int:
        return 0

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        return x_BMCHW.mean(1, keepdim=True).expand_as(x_BMCHW)

    def merge(self, x_BMCHW: Tensor) -> Tensor:
        return x_BMCHW.mean(1, keepdim=True)
