"""Peak signal-to-noise ratio of images in [-1, 1], in decibels: that of each image, averaged over the split."""

from __future__ import annotations

import torch
from torch import Tensor

TITLE = "PSNR"
UNIT = "dB"
BETTER = "higher"
DECIMALS = 2
NEEDS = "pixels"
PERFECT = 100.0  # CAP_DB

CAP_DB = 100.0
"""An image equal to its target has an infinite ratio, and so would any mean with it. The cap lies far above what an
8-bit image can reach: rounding alone has a mean squared error of (2 / 255)^2 / 12, which is 58.9 dB."""


def values(image_BSCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Each image's 10 log10(2^2 / MSE), at most CAP_DB, (B, S)."""
    error_BSCHW = image_BSCHW.double() - target_BCHW[:, None].double()
    square_BS = error_BSCHW.square().sum(dim=(2, 3, 4)) / error_BSCHW[0, 0].numel()
    # Both constants in float32, as in torchmetrics: the numbers of earlier records stay the same to the last digit.
    range_log, per_decade = 2 * torch.log(torch.tensor(2.0)), 10 / torch.log(torch.tensor(10.0))
    return ((range_log.item() - torch.log(square_BS)) * per_decade.item()).clamp(max=CAP_DB)


def compute(total: Tensor, count: int) -> Tensor:
    return total / count
