"""Floating-point operations of one scene through the network, in billions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLE = "GFLOP"
UNIT = ""
BETTER = "lower"
DECIMALS = 2
NEEDS = "network"
PERFECT = None


def compute(counts: Mapping[str, Any]) -> float:
    return float(counts["flops"] / 1e9)
