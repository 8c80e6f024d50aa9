"""Structural similarity of images in [-1, 1]: that of each image, averaged over the split.

Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004:
Gaussian window of 11 pixels (deviation 1.5), K1 = 0.01, K2 = 0.03, population variances; by channel, averaged. As in
torchmetrics, which computes it, images are reflected at their borders and windows are centred on every pixel; the paper
and scikit-image leave out the 5 pixels at each border.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cenbench.errors import UserError
from cenbench.metrics.inputs.torchvision_shim import import_torchvision

import_torchvision()  # torchmetrics imports torchvision
from torchmetrics.functional.image import structural_similarity_index_measure  # noqa: E402

TITLE = "SSIM"
UNIT = ""
BETTER = "higher"
DECIMALS = 3
NEEDS = "pixels"
PERFECT = 1.0

_SMALLEST_PX = 6
"""Reflection reaches 5 pixels past the border, and needs as many inside it."""


def values(image_BSCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Each image's SSIM, (B, S). Raises `UserError` for images smaller than the window allows.

    One image at a time, so that the value cannot depend on the batch, and in the precision that is quick where it runs:
    float64 convolutions take forty times as long on a CPU, float32 ones are rounded to TF32 on a GPU.
    """
    if min(target_BCHW.shape[-2:]) < _SMALLEST_PX:
        found = " x ".join(map(str, target_BCHW.shape[-2:]))
        raise UserError("images are too small for SSIM", found=f"{found} px", expected=f"at least {_SMALLEST_PX} px")
    precision = torch.float64 if target_BCHW.is_cuda else torch.float32
    rows = [
        torch.stack([_ssim(image_CHW, target_CHW) for image_CHW in image_SCHW])
        for image_SCHW, target_CHW in zip(image_BSCHW.to(precision), target_BCHW.to(precision), strict=True)
    ]
    return torch.stack(rows).double()


def compute(total: Tensor, count: int) -> Tensor:
    return total / count


def _ssim(image_CHW: Tensor, target_CHW: Tensor) -> Tensor:
    found = structural_similarity_index_measure(image_CHW[None], target_CHW[None], data_range=2.0)
    assert isinstance(found, Tensor)  # a pair only where the full image is asked for
    return found
