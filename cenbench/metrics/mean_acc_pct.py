"""Mean accuracy: recall averaged over classes, of one confusion matrix pooled over the split.

Source: paper.md#segmentation-evaluation.
"""

from __future__ import annotations

from torch import Tensor

TITLE = "Mean accuracy"
UNIT = "%"
BETTER = "higher"
DECIMALS = 1
NEEDS = "confusion"
PERFECT = 100.0


def compute(confusion_KK: Tensor) -> float:
    """A class without a labelled pixel has no recall and is left out, even where it is predicted."""
    return 100 * (confusion_KK.diagonal() / confusion_KK.sum(1)).nanmean().item()
