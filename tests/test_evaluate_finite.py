"""Predictions that are not numbers are refused: the largest of NaN would be a class like any other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cenbench.errors import UserError
from cenbench.evaluate.score_segmentation import predicted_classes
from cenbench.matrix.cell import Task
from cenbench.matrix.specs import SegmentationEvaluation

TASK = Task.parse("rgb+depth->semantic")


class Spoilt(nn.Module):
    """Random logits (B, S, K, h, w) with one value of the last stream replaced."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        B, M, _, H, W = x_BMCHW.shape
        logits_BSKhw = torch.randn(B, M + 1, 5, H // 4, W // 4, generator=torch.Generator().manual_seed(1))
        logits_BSKhw[-1, -1, 2, 0, 0] = self.value
        return logits_BSKhw


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.0)])
def test_one_logit_that_is_not_a_number_is_refused(value: float, scales: tuple[float, ...]) -> None:
    evaluation = SegmentationEvaluation(batch_size=2, scales=scales)
    x_BMCHW = torch.zeros(2, 2, 3, 16, 16)
    assert predicted_classes(Spoilt(0.0), x_BMCHW, TASK, evaluation).shape == (2, 3, 16, 16)
    with pytest.raises(UserError, match="not finite"):
        predicted_classes(Spoilt(value), x_BMCHW, TASK, evaluation)
