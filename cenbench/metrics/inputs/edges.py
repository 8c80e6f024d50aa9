"""Absolute errors of generated images near the edges of their targets and away from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cenbench.metrics.inputs.boundaries import boundary_width_px, near

_STEPS: Mapping[str, float] = {"depth": 0.02, "depth_zbuffer": 0.02}
"""Target -> smallest difference of adjacent pixels, in [-1, 1], that is an edge. Depth is logarithmic there: 0.02 is a
distance that grows by 12 %."""
_STEP = 0.25
"""That of the other targets: an eighth of the range, in any channel."""
PARTS = ("near_total", "near_count", "away_total", "away_count")


@dataclass(frozen=True)
class EdgeErrors:
    """Sums of absolute errors of images in [-1, 1], and numbers of values, near edges of the target and elsewhere."""

    near_total: float
    near_count: float
    away_total: float
    away_count: float


class Edges:
    """Sums on the device, in float64, for each image and output stream."""

    def __init__(self, streams: Sequence[str], target: str) -> None:
        self.streams, self._step = tuple(streams), _STEPS.get(target, _STEP)
        self._parts_PBS: list[Tensor] = []

    def update(self, image_BSCHW: Tensor, target_BCHW: Tensor) -> None:
        """Add a batch of generated images and their targets, in [-1, 1]."""
        S, C = image_BSCHW.shape[1:3]
        near_BHW = near(edges(target_BCHW, self._step), boundary_width_px(*target_BCHW.shape[-2:]))
        near_B11HW = near_BHW[:, None, None]
        error_BSCHW = (image_BSCHW.double() - target_BCHW[:, None].double()).abs()
        near_BS = torch.where(near_B11HW, error_BSCHW, 0).sum((2, 3, 4))
        away_BS = torch.where(near_B11HW, 0, error_BSCHW).sum((2, 3, 4))
        count_BS = C * near_BHW.sum((1, 2)).double()[:, None].expand(-1, S)
        others_BS = C * near_BHW[0].numel() - count_BS
        self._parts_PBS.append(torch.stack([near_BS, count_BS, away_BS, others_BS]))

    def errors(self) -> dict[str, EdgeErrors]:
        """stream -> the sums over the split."""
        parts_PS = torch.cat(self._parts_PBS, dim=1).sum(1)
        return {stream: EdgeErrors(*parts_PS[:, number].tolist()) for number, stream in enumerate(self.streams)}

    def images(self) -> dict[str, dict[str, np.ndarray]]:
        """stream -> each of PARTS -> float64 (N,): the sums of each image, in the order of the updates."""
        parts_PNS = torch.cat(self._parts_PBS, dim=1).cpu().numpy()
        return {
            stream: dict(zip(PARTS, np.ascontiguousarray(parts_PNS[:, :, number]), strict=True))
            for number, stream in enumerate(self.streams)
        }


def edges(target_BCHW: Tensor, step: float) -> Tensor:
    """Bool (B, H, W): both pixels of every adjacent pair that differs by more than `step` in some channel."""
    edge_BHW = torch.zeros_like(target_BCHW[:, 0], dtype=torch.bool)
    down = (target_BCHW[..., 1:, :] - target_BCHW[..., :-1, :]).abs().amax(1) > step
    across = (target_BCHW[..., 1:] - target_BCHW[..., :-1]).abs().amax(1) > step
    edge_BHW[:, 1:] |= down
    edge_BHW[:, :-1] |= down
    edge_BHW[:, :, 1:] |= across
    edge_BHW[:, :, :-1] |= across
    return edge_BHW
