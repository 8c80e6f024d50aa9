"""The losses, against loops over pixels and patches."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from cenbench.train.segmentation_loss import segmentation_nll_S
from cenbench.train.translation_losses import adversarial_loss, image_distance_S

VOID = 255


def nll_by_pixel(logits_KHW: torch.Tensor, label_HW: torch.Tensor) -> list[float]:
    """-log softmax of the labelled class, pixel by pixel, in Python floats."""
    found = []
    for y, row in enumerate(label_HW.tolist()):
        for x, label in enumerate(row):
            if label != VOID:
                values = logits_KHW[:, y, x].tolist()
                top = max(values)
                found.append(math.log(sum(math.exp(v - top) for v in values)) + top - values[label])
    return found


def test_segmentation_loss_is_the_mean_over_labelled_pixels_of_each_stream() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, 3, 4, dtype=torch.float64)
    label = torch.randint(0, 5, (2, 12, 16))
    label[0, :5] = VOID
    up = F.interpolate(logits.flatten(0, 1), size=(12, 16), mode="bilinear", align_corners=False).unflatten(0, (2, 3))
    for stream, value in enumerate(segmentation_nll_S(logits, label, VOID).tolist()):
        found = [nll for b in range(2) for nll in nll_by_pixel(up[b, stream], label[b])]
        assert value == pytest.approx(math.fsum(found) / len(found), rel=1e-12)


def test_segmentation_loss_of_a_batch_without_a_label_is_zero_and_trains_nothing() -> None:
    logits = torch.randn(1, 2, 3, 2, 2, requires_grad=True)
    loss = segmentation_nll_S(logits, torch.full((1, 8, 8), VOID), VOID)
    loss.sum().backward()
    assert loss.tolist() == [0.0, 0.0]
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("real", [True, False])
def test_adversarial_loss_is_the_released_codes_sigmoid_and_bceloss(real: bool) -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(3, 50, dtype=torch.float64)
    target = torch.full_like(logits[0], float(real))
    expected = sum(torch.nn.BCELoss()(torch.sigmoid(row), target) for row in logits)
    assert adversarial_loss(logits, real=real).item() == pytest.approx(float(expected), rel=1e-12)


def test_adversarial_loss_does_not_overflow_where_bceloss_is_clamped() -> None:
    assert adversarial_loss(torch.tensor([[-500.0]]), real=True).item() == pytest.approx(500.0)


def test_image_distance_is_the_mean_absolute_difference_of_each_stream() -> None:
    torch.manual_seed(0)
    image, target = torch.rand(2, 4, 3, 5, 6, dtype=torch.float64), torch.rand(2, 3, 5, 6, dtype=torch.float64)
    for stream, value in enumerate(image_distance_S(image, target).tolist()):
        expected = sum((image[b, stream] - target[b]).abs().sum().item() for b in range(2)) / target.numel()
        assert value == pytest.approx(expected, rel=1e-12)
