"""Every metric of a cell: stream -> metric -> value.

Apart from the inputs themselves, because a network may be chosen by one metric (`selection: best`) of the same inputs:
that choice must not depend on which other metrics there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cenbench.matrix.metrics import Needs
from cenbench.metrics.inputs.confusion import with_others_merged
from cenbench.metrics.inputs.plugins import (
    ConfusionMetric,
    EdgeMetric,
    FeatureMetric,
    PixelMetric,
    finite,
    plugins,
    possible,
)

if TYPE_CHECKING:  # segmentation never pays for the import of a feature extractor
    from torch import Tensor

    from cenbench.metrics.inputs.boundaries import Boundaries
    from cenbench.metrics.inputs.confusion import Confusion
    from cenbench.metrics.inputs.edges import Edges
    from cenbench.metrics.inputs.features import Features
    from cenbench.metrics.inputs.pixels import Pixels

Scores = dict[str, dict[str, float]]


def confusion_scores(confusion: Confusion) -> Scores:
    """Raises `UserError` for labels out of range, a split without a labelled pixel, and an impossible value."""
    return {
        stream: _of_counts("confusion", confusion_KK)
        for stream, confusion_KK in zip(confusion.streams, confusion.pooled_SKK().double(), strict=True)
    }


def thin_scores(confusion: Confusion, thin: Sequence[int]) -> Scores:
    """Those of the classes with these labels; none for a stream in which no such class occurs or is predicted."""
    pooled_SKK = confusion.pooled_SKK().double()
    merged = [with_others_merged(confusion_KK, thin) for confusion_KK in pooled_SKK]
    return {
        stream: _of_counts("thin", confusion_LL) if bool(confusion_LL.sum() > confusion_LL[-1, -1]) else {}
        for stream, confusion_LL in zip(confusion.streams, merged, strict=True)
    }


def boundary_scores(boundaries: Boundaries) -> Scores:
    """Raises `UserError` for an impossible value."""
    pooled_SLL = boundaries.pooled_SKK().double()
    return {
        stream: _of_counts("boundaries", confusion_LL)
        for stream, confusion_LL in zip(boundaries.streams, pooled_SLL, strict=True)
    }


def _of_counts(needs: Needs, confusion_KK: Tensor) -> dict[str, float]:
    metrics: dict[str, ConfusionMetric] = plugins(needs)
    return {name: possible(name, metric.compute(confusion_KK)) for name, metric in metrics.items()}


def edge_scores(edges: Edges) -> Scores:
    """None where no pixel is near an edge of its target, or none is away.

    Raises `UserError` for an impossible value.
    """
    metrics: dict[str, EdgeMetric] = plugins("edges")
    found: Scores = {}
    for stream, errors in edges.errors().items():
        for name in metrics:
            finite(name, errors.near_total + errors.away_total)  # each metric reads only one of them
        both = errors.near_count > 0 and errors.away_count > 0
        values = {name: metric.compute(errors) for name, metric in metrics.items()} if both else {}
        found[stream] = {name: possible(name, value) for name, value in values.items()}
    return found


def pixel_scores(pixels: Pixels) -> Scores:
    """Raises `UserError` for an impossible value."""
    metrics: dict[str, PixelMetric] = plugins("pixels")
    found = {name: metric.compute(*pixels.total_S(name)).tolist() for name, metric in metrics.items()}
    return {
        stream: {name: possible(name, value_S[number]) for name, value_S in found.items()}
        for number, stream in enumerate(pixels.streams)
    }


def feature_scores(features: Features) -> Scores:
    """Raises `UserError` for an impossible value."""
    metrics: dict[str, FeatureMetric] = plugins("features")
    return {
        stream: {name: possible(name, metric.compute(sets)) for name, metric in metrics.items()}
        for stream, sets in features.sets().items()
    }
