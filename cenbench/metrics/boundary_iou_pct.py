"""Boundary IoU: IoU of the pixels near each class's own boundary, averaged over classes.

Cheng et al., "Boundary IoU", CVPR 2021. The boundary is 2 % of the image's diagonal wide; counts are pooled over the
split, as those of the mean IoU.
"""

from __future__ import annotations

from torch import Tensor

from cenbench.metrics.inputs.confusion import class_iou

TITLE = "Boundary IoU"
UNIT = "%"
BETTER = "higher"
DECIMALS = 1
NEEDS = "boundaries"
PERFECT = 100.0


def compute(confusion_LL: Tensor) -> float:
    """The last class stands for pixels that are not near a boundary."""
    return 100 * class_iou(confusion_LL)[:-1].nanmean().item()
