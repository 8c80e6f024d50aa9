"""Structural similarity of images in [-1, 1]: that of each image, averaged over the split.

Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004:
Gaussian window of 11 pixels (deviation 1.5), K1 = 0.01, K2 = 0.03, population variances; by channel, averaged. As in
torchmetrics, images are reflected at their borders and windows are centred on every pixel; the paper and scikit-image
leave out the 5 pixels at each border.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cenbench.errors import UserError

TITLE = "SSIM"
UNIT = ""
BETTER = "higher"
DECIMALS = 3
NEEDS = "pixels"
PERFECT = 1.0

_REACH_PX = 5
_DEVIATION_PX = 1.5
_C1, _C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # K1 and K2 times the range of the images
_SMALLEST_PX = _REACH_PX + 1
"""Reflection reaches 5 pixels past the border, and needs as many inside it."""


def values(image_BSCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Each image's SSIM, (B, S). Raises `UserError` for images smaller than the window allows."""
    if min(target_BCHW.shape[-2:]) < _SMALLEST_PX:
        found = " x ".join(map(str, target_BCHW.shape[-2:]))
        raise UserError("images are too small for SSIM", found=f"{found} px", expected=f"at least {_SMALLEST_PX} px")
    pairs = zip(image_BSCHW.double(), target_BCHW.double(), strict=True)
    return torch.stack([_of_target(image_SCHW, target_CHW) for image_SCHW, target_CHW in pairs])


def compute(total: Tensor, count: int) -> Tensor:
    return total / count


def _of_target(image_SCHW: Tensor, target_CHW: Tensor) -> Tensor:
    """SSIM of each stream's image to the target they share, whose own means are taken once, (S,)."""
    target_2CHW = _blurred(torch.stack([target_CHW, target_CHW * target_CHW]))
    return torch.stack([_ssim(image_CHW, target_CHW, target_2CHW) for image_CHW in image_SCHW])


def _ssim(x_CHW: Tensor, y_CHW: Tensor, y_2CHW: Tensor) -> Tensor:
    """One image at a time, so that the value cannot depend on the batch, and the maps stay small.

    `y_2CHW`: the means of y and of its square.
    """
    mean_x, mean_xx, mean_xy = _blurred(torch.stack([x_CHW, x_CHW * x_CHW, x_CHW * y_CHW])).unbind()
    mean_y, mean_yy = y_2CHW.unbind()
    variances = (mean_xx - mean_x**2).clamp(min=0) + (mean_yy - mean_y**2).clamp(min=0)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * (mean_xy - mean_x * mean_y) + _C2) / (variances + _C2)
    return (luminance * structure).mean()


def _blurred(maps_NCHW: Tensor) -> Tensor:
    """Gaussian means: the sum of shifted copies, first along rows, then along columns."""
    height, width = maps_NCHW.shape[-2:]
    padded = F.pad(maps_NCHW, (_REACH_PX,) * 4, mode="reflect")
    weights = [math.exp(-((shift / _DEVIATION_PX) ** 2) / 2) for shift in range(-_REACH_PX, _REACH_PX + 1)]
    rows, blurred = padded.new_zeros(*padded.shape[:-1], width), torch.zeros_like(maps_NCHW)
    for start, weight in enumerate(weights):
        rows.add_(padded[..., start : start + width], alpha=weight / sum(weights))
    for start, weight in enumerate(weights):
        blurred.add_(rows[..., start : start + height, :], alpha=weight / sum(weights))
    return blurred
