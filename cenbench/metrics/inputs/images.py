"""From a network's output to the bytes an image file would hold."""

from __future__ import annotations

import torch
from torch import Tensor

from cenbench.errors import UserError


def to_uint8(image_BCHW: Tensor) -> Tensor:
    """[-1, 1] to 0..255, rounded to the nearest, values outside clamped. `UserError` for NaN and infinity."""
    _check_numbers(image_BCHW)
    return ((image_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def stretch_to_uint8(image_BCHW: Tensor) -> Tensor:
    """Each image's own range, least to greatest value over all channels, to 0..255, rounded down.

    Source: paper.md#translation-evaluation. The released code measures this, for generated and real images alike: every
    image loses its contrast and brightness. An image of a single value becomes 0. `UserError` for NaN and infinity.
    """
    _check_numbers(image_BCHW)
    image_BCHW = image_BCHW.float()
    low, high = (value_B[:, None, None, None] for value_B in image_BCHW.flatten(1).aminmax(dim=1))
    # In the released code's order of operations; where all values are equal the numerator is 0, and any divisor does.
    return ((image_BCHW - low) * 255 / torch.where(high > low, high - low, 1)).to(torch.uint8)


def _check_numbers(image_BCHW: Tensor) -> None:
    if not bool(torch.isfinite(image_BCHW).all()):
        raise UserError("a generated image holds values that are not numbers", expected="numbers from -1 to 1")
