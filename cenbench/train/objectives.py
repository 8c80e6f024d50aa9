"""The losses of both tasks (facts 2a, 2b). Each returns its terms by stream, so that history can tell them apart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def segmentation_nll_S(logits_BSKHW: Tensor, label_BHW: Tensor, void: int) -> Tensor:
    """Mean negative log-likelihood of each output stream, (S,); pixels labelled `void` do not count.

    Logits are upsampled to the label's size (bilinear, align_corners False). A batch without a labelled pixel gives
    zero, not a division by zero.
    """
    B, S = logits_BSKHW.shape[:2]
    # Classes last in memory: log-softmax over a contiguous axis takes half the time on CPU.
    folded = logits_BSKHW.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    up = F.interpolate(folded, size=label_BHW.shape[1:], mode="bilinear", align_corners=False)
    labels = label_BHW.repeat_interleave(S, dim=0).flatten()
    nll = F.cross_entropy(up.permute(0, 2, 3, 1).flatten(0, 2), labels, ignore_index=void, reduction="none")
    labelled = (label_BHW != void).sum().clamp(min=1)
    return nll.view(B, S, -1).sum(dim=(0, 2)) / labelled


def adversarial_loss(logits_MN: Tensor, *, real: bool) -> Tensor:
    """Binary cross-entropy of each modality's patches against `real`, summed over modalities (facts 2b).

    `logits_MN` holds one row a modality. From logits this is sigmoid and BCELoss of the released code, without its
    overflow.
    """
    target = torch.ones_like(logits_MN) if real else torch.zeros_like(logits_MN)
    return F.binary_cross_entropy_with_logits(logits_MN, target, reduction="none").mean(1).sum()


def image_distance_S(image_BSCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Mean absolute distance of each output stream to the target, (S,)."""
    return (image_BSCHW - target_BCHW.unsqueeze(1)).abs().mean(dim=(0, 2, 3, 4))
