"""Parameters that the fusion adds to the network, in millions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLE = "for fusion"
UNIT = "M"
BETTER = "lower"
DECIMALS = 2
NEEDS = "network"
PERFECT = None


def compute(counts: Mapping[str, Any]) -> float:
    return float(counts["fusion"] / 1e6)
