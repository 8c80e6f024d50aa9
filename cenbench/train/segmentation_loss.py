"""The loss of segmentation (paper.md#segmentation-loss), per stream, so that the history can list them separately."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def segmentation_nll_S(logits_BSKHW: Tensor, label_BHW: Tensor, void: int) -> Tensor:
    """Mean negative log-likelihood of each output stream, (S,); pixels labelled `void` do not count.

    Logits are upsampled to the label's size (bilinear, align_corners False). A batch without a labelled pixel gives
    zero.
    """
    B, S = logits_BSKHW.shape[:2]
    # Classes last in memory: log-softmax over a contiguous axis takes half the time on a CPU.
    folded = logits_BSKHW.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    up = F.interpolate(folded, size=label_BHW.shape[1:], mode="bilinear", align_corners=False)
    labels = label_BHW.repeat_interleave(S, dim=0).flatten()
    nll = F.cross_entropy(up.permute(0, 2, 3, 1).flatten(0, 2), labels, ignore_index=void, reduction="none")
    labelled = (label_BHW != void).sum().clamp(min=1)
    return nll.view(B, S, -1).sum(dim=(0, 2)) / labelled
