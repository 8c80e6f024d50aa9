"""From a network's output to the bytes an image file would hold."""

from __future__ import annotations

import torch
from torch import Tensor

from cenbench.errors import UserError


def to_uint8(image_BCHW: Tensor) -> Tensor:
    """[-1, 1] to 0..255, rounded to the nearest, values outside clamped. A value that is no number is a `UserError`."""
    if not bool(torch.isfinite(image_BCHW).all()):
        raise UserError("a generated image holds values that are not numbers", expected="numbers from -1 to 1")
    return ((image_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
