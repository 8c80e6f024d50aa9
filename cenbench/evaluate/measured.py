"""The result of evaluating a trained cell. Torch-free, so that records can store it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cenbench.evaluate.per_image import PerImage


@dataclass(frozen=True)
class Measured:
    """Metrics, what they are computed from, parameter counts and sample pictures of one trained cell."""

    metrics: Mapping[str, Mapping[str, float]]
    """stream -> metric -> value."""
    other_norm_statistics: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Norm statistics that the evaluation does not name -> the same metrics with them."""
    per_class_iou_pct: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """stream -> class -> IoU; None for a class that is neither in the ground truth nor predicted. Segmentation only."""
    confusion: Mapping[str, np.ndarray] = field(default_factory=dict)
    """stream -> int64 (K, K) pixels `[ground truth, prediction]`, over the split. Segmentation only."""
    per_image: PerImage = field(default_factory=PerImage)
    """What the metrics of any selection of the images are computed from."""
    stand_in: Mapping[str, str] = field(default_factory=dict)
    """metric -> label, for numbers not comparable with the paper's."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameter counts and the ensemble's learned weights."""
    exchange: Mapping[str, Any] = field(default_factory=dict)
    """Shares of channels that are replaced (`cenbench.evaluate.exchanged`); empty where nothing is exchanged."""
    samples: Mapping[str, bytes] = field(default_factory=dict)
    """file name -> PNG, for the fixed sample ids."""
