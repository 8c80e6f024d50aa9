"""Mean IoU over the thin classes of the dataset, which `cenbench/data/thin_classes.py` declares."""

from __future__ import annotations

from torch import Tensor

from cenbench.metrics.inputs.confusion import class_iou

TITLE = "IoU of thin classes"
UNIT = "%"
BETTER = "higher"
DECIMALS = 1
NEEDS = "thin"
PERFECT = 100.0


def compute(confusion_LL: Tensor) -> float:
    """The last class stands for all that are not thin."""
    return 100 * class_iou(confusion_LL)[:-1].nanmean().item()
