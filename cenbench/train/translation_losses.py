"""The losses of translation (paper.md#translation-losses)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def adversarial_loss(logits_MN: Tensor, *, real: bool) -> Tensor:
    """Binary cross-entropy of each modality's patches against `real`, summed over modalities.

    Source: paper.md#translation-losses.

    `logits_MN` has one row per modality. This equals the sigmoid and BCELoss of the released code, without overflow.
    """
    target = torch.ones_like(logits_MN) if real else torch.zeros_like(logits_MN)
    return F.binary_cross_entropy_with_logits(logits_MN, target, reduction="none").mean(1).sum()


def image_distance_S(image_BSCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Mean absolute distance of each output stream to the target, (S,)."""
    return (image_BSCHW - target_BCHW.unsqueeze(1)).abs().mean(dim=(0, 2, 3, 4))
