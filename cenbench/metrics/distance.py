"""MAE, MSE and root MSE of images in [-1, 1], pooled over every value of the whole set, times ten.

The paper's "MSE" column is a root mean squared error (paper.md#table-6): compare `rmse_x10` with it. Roots are taken
once, of the pooled mean; the mean of roots by batch would depend on the batch size.
"""

from __future__ import annotations

import torch
from torch import Tensor

KEYS = ("mae_x10", "rmse_x10", "mse_x10")


class Distance:
    """Sums on the device, in float64, for each of S output streams."""

    def __init__(self, streams: int, device: torch.device) -> None:
        self._absolute = torch.zeros(streams, dtype=torch.float64, device=device)
        self._squared = torch.zeros(streams, dtype=torch.float64, device=device)
        self._count = 0

    def update(self, image_BSCHW: Tensor, target_BCHW: Tensor) -> None:
        """Add a batch of images and their targets."""
        error = image_BSCHW.double() - target_BCHW[:, None].double()
        self._absolute += error.abs().sum((0, 2, 3, 4))
        self._squared += error.square().sum((0, 2, 3, 4))
        self._count += target_BCHW.numel()

    def compute(self) -> list[dict[str, float]]:
        """The three metrics of each stream."""
        mae, mse = (10 * self._absolute / self._count).tolist(), self._squared / self._count
        roots, squares = (10 * mse.sqrt()).tolist(), (10 * mse).tolist()
        return [dict(zip(KEYS, values, strict=True)) for values in zip(mae, roots, squares, strict=True)]
