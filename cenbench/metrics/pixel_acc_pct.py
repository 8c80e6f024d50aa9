"""Pixel accuracy: the share of labelled pixels that are predicted right, over the whole split.

Source: paper.md#segmentation-evaluation.
"""

from __future__ import annotations

from torch import Tensor

TITLE = "Pixel accuracy"
UNIT = "%"
BETTER = "higher"
DECIMALS = 1
NEEDS = "confusion"
PERFECT = 100.0


def compute(confusion_KK: Tensor) -> float:
    return 100 * (confusion_KK.diagonal().sum() / confusion_KK.sum()).item()
