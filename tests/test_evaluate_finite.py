"""Predictions that are not numbers are refused, as the largest of NaN would be a class like any other; so are metrics
that no record can hold.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from cenbench.errors import UserError
from cenbench.evaluate.score_segmentation import predicted_classes
from cenbench.matrix.cell import Task
from cenbench.matrix.specs import SegmentationEvaluation
from cenbench.metrics.inputs.edges import Edges
from cenbench.metrics.inputs.plugins import plugins, possible
from cenbench.metrics.inputs.scores import edge_scores

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


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [("miou_pct", 180.0, "0 to 100"), ("miou_pct", -1.0, "0 to 100"), ("fid", -0.1, "0 to inf"), ("ssim", 1.1, "to 1")],
)
def test_a_value_that_no_record_is_read_with_is_never_published(metric: str, value: float, expected: str) -> None:
    with pytest.raises(UserError, match="outside of its range") as caught:
        possible(metric, value)
    assert caught.value.where is not None
    assert caught.value.where.name == f"{metric}.py"
    assert expected in str(caught.value)
    assert possible("fid", -1e-4) == -1e-4, "but for rounding"


def test_a_metric_near_edges_that_is_not_a_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = Edges(("shade",), "rgb")
    target_BCHW = torch.zeros(1, 3, 32, 32)
    target_BCHW[..., 16:] = 1
    edges.update(target_BCHW[:, None], target_BCHW)
    assert set(edge_scores(edges)["shade"].values()) == {0.0}
    monkeypatch.setattr(plugins("edges")["mae_near_x10"], "compute", lambda errors: math.nan)
    with pytest.raises(UserError, match="not a finite number"):
        edge_scores(edges)
