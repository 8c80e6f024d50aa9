"""Frequency-weighted IoU: the mean of the classes' IoU, weighted by their share of the labelled pixels.

Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015, section 5.
"""

from __future__ import annotations

from torch import Tensor

from cenbench.metrics.inputs.confusion import class_iou

TITLE = "Frequency-weighted IoU"
UNIT = "%"
BETTER = "higher"
DECIMALS = 1
NEEDS = "confusion"
PERFECT = 100.0


def compute(confusion_KK: Tensor) -> float:
    """A class without a labelled pixel has no weight, whether it is predicted or not."""
    pixels_K = confusion_KK.sum(1)
    return 100 * ((pixels_K * class_iou(confusion_KK)).nansum() / pixels_K.sum()).item()
