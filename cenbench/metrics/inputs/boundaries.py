"""Confusion counts of the pixels near boundaries, for the metrics that need them; and how wide "near" is.

Source: Cheng, Girshick, Dollar, Berg and Kirillov, "Boundary IoU: improving object-centric image segmentation
evaluation", CVPR 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from cenbench.metrics.inputs.confusion import Confusion

DILATION_RATIO = 0.02
"""Width of the boundary, as a share of the image's diagonal."""
_OUTSIDE = -1.0


def boundary_width_px(height: int, width: int) -> int:
    """At least one pixel: two at 64 px square, seven at 256, 46 for 1024 x 2048."""
    return max(1, round(DILATION_RATIO * math.hypot(height, width)))


def inner_boundary(label_NHW: Tensor, width_px: int) -> Tensor:
    """Bool, same shape: pixels that lie less than `width_px` + 1 from another label or from the image's border.

    The distance is the larger of those along rows and columns: `width_px` erosions of each label's mask by 3 x 3 pixels
    leave out exactly these pixels.
    """
    reach = (width_px, width_px, width_px, width_px)
    padded = F.pad(label_NHW[:, None].float(), reach, value=_OUTSIDE)
    highest, lowest = _window_max(padded, width_px), -_window_max(-padded, width_px)
    return (highest != lowest)[:, 0]


def _window_max(maps_N1HW: Tensor, reach_px: int) -> Tensor:
    """The maximum over square windows, first along columns, then along rows; no padding."""
    side = 2 * reach_px + 1
    return F.max_pool2d(F.max_pool2d(maps_N1HW, (side, 1), stride=1), (1, side), stride=1)


def near(edge_BHW: Tensor, reach_px: int) -> Tensor:
    """Bool, same shape: pixels within `reach_px` of an edge pixel, along rows and columns."""
    padded = F.pad(edge_BHW[:, None].float(), (reach_px,) * 4)
    return _window_max(padded, reach_px)[:, 0] > 0


class Boundaries:
    """As `Confusion`, with one class more: pixels that are not in the boundary of their own class.

    The IoU of each of the first K classes is then its boundary IoU. Void pixels belong to no class, in the ground truth
    and in the prediction, so the edge of a void region is a boundary of both.
    """

    def __init__(self, streams: Sequence[str], classes: int, void: int, device: torch.device) -> None:
        self.streams, self._void, self._inside = tuple(streams), void, classes
        self._confusion = Confusion(streams, classes + 1, void, device)

    def update(self, prediction_BSHW: Tensor, label_BHW: Tensor) -> Tensor:
        """As `Confusion.update`: each image's own counts, int64 (B, S, K + 1, K + 1)."""
        width_px = boundary_width_px(*label_BHW.shape[-2:])
        void_BHW = label_BHW == self._void
        truth_BHW = torch.where(inner_boundary(label_BHW, width_px) | void_BHW, label_BHW, self._inside)
        shown_BSHW = torch.where(void_BHW[:, None], self._void, prediction_BSHW)
        edge_BSHW = inner_boundary(shown_BSHW.flatten(0, 1), width_px).view_as(shown_BSHW)
        return self._confusion.update(torch.where(edge_BSHW, prediction_BSHW, self._inside), truth_BHW)

    def pooled_SKK(self) -> Tensor:
        """The counts of the split, int64 (S, K + 1, K + 1) on the CPU. Errors are those of `Confusion`."""
        return self._confusion.pooled_SKK()
