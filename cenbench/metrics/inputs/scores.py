"""Every metric of a cell: stream -> metric -> value.

Apart from the inputs themselves, because a network may be chosen by one metric (`selection: best`) of the same inputs:
that choice must not depend on which other metrics there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cenbench.metrics.inputs.plugins import ConfusionMetric, FeatureMetric, PixelMetric, finite, plugins

if TYPE_CHECKING:  # segmentation never pays for the import of a feature extractor
    from cenbench.metrics.inputs.confusion import Confusion
    from cenbench.metrics.inputs.features import Features
    from cenbench.metrics.inputs.pixels import Pixels

Scores = dict[str, dict[str, float]]


def confusion_scores(confusion: Confusion) -> Scores:
    """Raises `UserError` for labels out of range, a split without a labelled pixel, and a value that is not finite."""
    metrics: dict[str, ConfusionMetric] = plugins("confusion")
    return {
        stream: {name: finite(name, metric.compute(confusion_KK)) for name, metric in metrics.items()}
        for stream, confusion_KK in zip(confusion.streams, confusion.pooled_SKK().double(), strict=True)
    }


def pixel_scores(pixels: Pixels) -> Scores:
    """Raises `UserError` for a value that is not finite."""
    metrics: dict[str, PixelMetric] = plugins("pixels")
    found = {name: metric.compute(*pixels.total_S(name)).tolist() for name, metric in metrics.items()}
    return {
        stream: {name: finite(name, value_S[number]) for name, value_S in found.items()}
        for number, stream in enumerate(pixels.streams)
    }


def feature_scores(features: Features) -> Scores:
    """Raises `UserError` for a value that is not finite."""
    metrics: dict[str, FeatureMetric] = plugins("features")
    return {
        stream: {name: finite(name, metric.compute(sets)) for name, metric in metrics.items()}
        for stream, sets in features.sets().items()
    }
