"""What a network costs and how much it exchanges, from the counts in a record. Torch-free: reports ask."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cenbench.metrics.inputs.plugins import ExchangeMetric, NetworkMetric, plugins


def network_costs(counts: Mapping[str, Any]) -> dict[str, float]:
    """metric -> value, from a record's `parameters`; without those whose count an older record lacks."""
    metrics: dict[str, NetworkMetric] = plugins("network")
    costs = {}
    for name, metric in metrics.items():
        with suppress(KeyError):
            costs[name] = metric.compute(counts)
    return costs


def exchange_numbers(exchange: Mapping[str, Any], stream: str) -> dict[str, float]:
    """metric -> value of one output, from a record's `exchange`; none where nothing exchanges."""
    found: dict[str, ExchangeMetric] = plugins("exchange")
    overall = exchange.get("overall", {})
    return {name: metric.compute(overall, stream) for name, metric in found.items() if stream in overall}
