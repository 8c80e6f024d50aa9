"""What a network costs, from the counts in a record. Torch-free: reports ask."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cenbench.metrics.inputs.plugins import NetworkMetric, plugins


def network_costs(counts: Mapping[str, Any]) -> dict[str, float]:
    """metric -> value, from a record's `parameters`; without those whose count an older record lacks."""
    metrics: dict[str, NetworkMetric] = plugins("network")
    costs = {}
    for name, metric in metrics.items():
        with suppress(KeyError):
            costs[name] = metric.compute(counts)
    return costs
