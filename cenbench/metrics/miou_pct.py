"""Mean IoU over classes, of one confusion matrix pooled over the split.

Source: paper.md#segmentation-evaluation.
"""

from __future__ import annotations

from torch import Tensor

from cenbench.metrics.inputs.confusion import class_iou

TITLE = "Mean IoU"
UNIT = "%"
BETTER = "higher"
DECIMALS = 1
NEEDS = "confusion"
PERFECT = 100.0


def compute(confusion_KK: Tensor) -> float:
    """A class that is neither in the ground truth nor predicted is left out, as `nanmean` in the released code does.

    Averaging IoU over images instead would be another metric.
    """
    return 100 * class_iou(confusion_KK).nanmean().item()
