"""Exchange under a fixed random mask: a control of channel exchanging, not in the paper.

It acts where channel exchanging does, on as many channels, but not on those with a small scaling factor. What it gains
over no fusion is due to mixing the modalities, and what channel exchanging gains over it to the choice of channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cenbench.nn.exchange import own_parts

LABEL = "Random mask"
ACTS = "norms"
MERGES = False
INPUTS = (2, None)
FIXED_MASK = True
PARAMETERS = {
    "share": {"default": 0.5, "above": 0.0, "below": 1.0},
    "share_elsewhere": {"default": 0.0, "min": 0.0, "below": 1.0},
}
"""Shares of the channels of a norm that are replaced: within each modality's own part, where `l1: half` makes scaling
factors small, and outside it. docs/fusion.md describes how to read those of channel exchanging from its record."""


def mask(modalities: int, channels: int, share: float, share_elsewhere: float) -> Tensor:
    """(M, C) bool, drawn from torch's global generator: which channels of each modality are replaced.

    In every row, `share` of the modality's own part and `share_elsewhere` of the rest, rounded to whole channels.
    """
    own_MC = own_parts(modalities, channels)
    return _drawn(own_MC, share) | _drawn(~own_MC, share_elsewhere)


def _drawn(allowed_MC: Tensor, share: float) -> Tensor:
    """That share of the allowed entries of each row."""
    order_MC = torch.rand(allowed_MC.shape).masked_fill(~allowed_MC, 2.0).argsort(dim=1)
    rank_MC = order_MC.argsort(dim=1)
    count_M1 = (share * allowed_MC.sum(1, keepdim=True)).round()
    return rank_MC < count_M1
