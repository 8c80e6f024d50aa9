"""From a network's output to the bytes an image file would hold."""

from __future__ import annotations

import torch
from torch import Tensor

from cenbench.errors import UserError


def to_uint8(image_BCHW: Tensor) -> Tensor:
    """[-1, 1] to 0..255, rounded to the nearest, values outside clamped. A value that is no number is a `UserError`."""
    _check_numbers(image_BCHW)
    return ((image_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def stretch_to_uint8(image_BCHW: Tensor) -> Tensor:
    """Each image's own least..greatest value, over all channels, to 0..255, cut down to whole numbers.

    Source: paper.md#translation-evaluation.

    That is what the released code measures, for generated and real images alike: contrast and brightness of every image
    are lost. An image of one value becomes 0. A value that is no number is a `UserError`.
    """
    _check_numbers(image_BCHW)
    image_BCHW = image_BCHW.float()
    low, high = (each[:, None, None, None] for each in image_BCHW.flatten(1).aminmax(dim=1))
    # In the released code's order of operations; where all values are one the numerator is zero, so any divisor does.
    return ((image_BCHW - low) * 255 / torch.where(high > low, high - low, 1)).to(torch.uint8)


def _check_numbers(image_BCHW: Tensor) -> None:
    if not bool(torch.isfinite(image_BCHW).all()):
        raise UserError("a generated image holds values that are not numbers", expected="numbers from -1 to 1")
