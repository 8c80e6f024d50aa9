"""What metrics of the recorded scaling factors are computed from. Torch-free: reports ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from cenbench.metrics.inputs.plugins import plugins


@dataclass(frozen=True)
class GammaArrays:
    """The recorded scaling factors of one output: a modality's, or those of all modalities for the ensemble.

    T points of training, N channels, L layers of a modality.
    """

    theta: float
    lambda_l1: float
    """Factor of the l1 term in the loss; 0 without one."""
    path_TN: np.ndarray
    """The penalised factors of the traced layers at each point."""
    final_MN: np.ndarray
    """All factors of the evaluated network, those of the modalities side by side."""
    small_gradient_TL: np.ndarray
    """Share of a layer's channels whose task gradient is under lambda."""
    probability_TL: np.ndarray
    """The same share as theorem 1 predicts it."""
    channels_L: np.ndarray
    """Channels of each layer."""


class GammaMetric(Protocol):
    """A metric that needs the recorded scaling factors. NaN where a cell has no such number."""

    def compute(self, gammas: GammaArrays) -> float: ...


def gamma_metrics(gammas: GammaArrays) -> dict[str, float]:
    """metric -> value; without those that the cell has no number of."""
    found: Mapping[str, GammaMetric] = plugins("gammas")
    values = {name: metric.compute(gammas) for name, metric in found.items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def own_parts(modalities: int, channels: int) -> np.ndarray:
    """(M, C) bool: the part of the channels that is penalised per modality with `l1: half`, as the network has it."""
    edges = [channels * m // modalities for m in range(modalities + 1)]
    channel_C = np.arange(channels)
    return np.stack([(channel_C >= a) & (channel_C < b) for a, b in pairwise(edges)])
