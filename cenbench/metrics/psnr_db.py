"""Peak signal-to-noise ratio of images in [-1, 1], in decibels: that of each image, averaged over the split."""

from __future__ import annotations

from torch import Tensor

from cenbench.metrics.inputs.torchvision_shim import import_torchvision

import_torchvision()  # torchmetrics imports torchvision
from torchmetrics.functional.image import peak_signal_noise_ratio  # noqa: E402

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
    image, target = image_BSCHW.double(), target_BCHW[:, None].double().expand_as(image_BSCHW)
    ratio_BS = peak_signal_noise_ratio(image, target, data_range=2.0, reduction="none", dim=(2, 3, 4))
    return ratio_BS.clamp(max=CAP_DB)


def compute(total: Tensor, count: int) -> Tensor:
    return total / count
