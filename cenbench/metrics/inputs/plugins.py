"""The files of the metrics, imported, and what they must define; `cenbench/metrics/__init__.py` explains it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cenbench.errors import UserError
from cenbench.matrix.metrics import Needs, is_possible, limits, metrics_that_need

if TYPE_CHECKING:  # network metrics are computed without torch
    from torch import Tensor

    from cenbench.metrics.inputs.edges import EdgeErrors
    from cenbench.metrics.inputs.features import FeatureSets


class ConfusionMetric(Protocol):
    """A metric that needs confusion counts: of all classes, of the thin ones, or near boundaries."""

    def compute(self, confusion_KK: Tensor) -> float: ...


class EdgeMetric(Protocol):
    """A metric that needs errors near edges and away from them."""

    def compute(self, errors: EdgeErrors) -> float: ...


class PixelMetric(Protocol):
    """A metric that needs pixels."""

    def values(self, image_BSCHW: Tensor, target_BCHW: Tensor) -> Tensor: ...

    def compute(self, total: Tensor, count: int) -> Tensor: ...


class FeatureMetric(Protocol):
    """A metric that needs features."""

    def compute(self, sets: FeatureSets) -> float: ...


class NetworkMetric(Protocol):
    """A metric that needs the network's counts."""

    def compute(self, counts: Mapping[str, Any]) -> float: ...


class ExchangeMetric(Protocol):
    """A metric that needs the shares of channels that are exchanged."""

    def compute(self, overall: Mapping[str, Any], stream: str) -> float: ...


@cache
def plugins(needs: Needs) -> dict[str, Any]:
    """Key -> module of every metric that needs this input."""
    return {name: import_module(f"cenbench.metrics.{name}") for name in metrics_that_need(needs)}


def finite(metric: str, value: float) -> float:
    """`value`; a `UserError` naming the metric where it is infinite or not a number."""
    if not math.isfinite(value):
        raise UserError("a metric is not a finite number", key=metric, found=value)
    return value


def possible(metric: str, value: float) -> float:
    """`value`; a `UserError` naming the metric where a record cannot hold it: not finite, or out of range."""
    if not is_possible(metric, finite(metric, value)):
        raise UserError(
            "a metric is outside of its range",
            where=Path(__file__).parents[1] / f"{metric}.py",
            key="compute",
            found=value,
            expected="{:g} to {:g}".format(*limits(metric)),
            fix='correct `compute`, or what the file declares: UNIT "%" is a share, and nothing is better than PERFECT',
        )
    return value
