"""Mean absolute error of images in [-1, 1], over every value of the split, times ten."""

from __future__ import annotations

from torch import Tensor

TITLE = "MAE \N{MULTIPLICATION SIGN}10"
UNIT = ""
BETTER = "lower"
DECIMALS = 2
NEEDS = "pixels"
PERFECT = 0.0


def values(image_BSCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Absolute errors, (B, S, C, H, W)."""
    return (image_BSCHW.double() - target_BCHW[:, None].double()).abs()


def compute(total: Tensor, count: int) -> Tensor:
    return 10 * total / count
