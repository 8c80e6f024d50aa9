"""Sums over the pixels of generated images and their targets, for the metrics that need pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cenbench.metrics.inputs.plugins import PixelMetric, plugins


class Pixels:
    """Sums on the device, in float64, for each output stream; and each image's own mean."""

    def __init__(self, streams: Sequence[str], device: torch.device) -> None:
        self.streams = tuple(streams)
        self._metrics: dict[str, PixelMetric] = plugins("pixels")
        zeros = torch.zeros(len(self.streams), dtype=torch.float64, device=device)
        self._totals = {name: zeros.clone() for name in self._metrics}
        self._counts = dict.fromkeys(self._metrics, 0)
        self._means: dict[str, list[Tensor]] = {name: [] for name in self._metrics}

    def update(self, image_BSCHW: Tensor, target_BCHW: Tensor) -> None:
        """Add a batch of generated images and their targets, in [-1, 1]."""
        for name, metric in self._metrics.items():
            values = metric.values(image_BSCHW, target_BCHW)
            self._totals[name] += values.sum([axis for axis in range(values.ndim) if axis != 1])
            self._counts[name] += values.numel() // len(self.streams)
            self._means[name].append(values.flatten(2).mean(2) if values.ndim > 2 else values)

    def total_S(self, metric: str) -> tuple[Tensor, int]:
        """The sum of the metric's `values` for each stream, and how many values each sum has."""
        return self._totals[metric], self._counts[metric]

    def means(self) -> dict[str, dict[str, np.ndarray]]:
        """stream -> metric -> float64 (N,): each image's mean of the metric's `values`, in the order of the updates.

        `compute(sum of them, number of them)` is the metric of any selection of the images, as all have the same size.
        """
        mean_SN = {name: torch.cat(batches).T.cpu().numpy() for name, batches in self._means.items()}
        return {
            stream: {name: means[number] for name, means in mean_SN.items()}
            for number, stream in enumerate(self.streams)
        }


def squared_error(image_BSCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """(image - target)^2 in float64, (B, S, C, H, W)."""
    return (image_BSCHW.double() - target_BCHW[:, None].double()).square()
