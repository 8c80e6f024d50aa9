"""Parameters of the whole network, in millions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLE = "Parameters"
UNIT = "M"
BETTER = "lower"
DECIMALS = 2
NEEDS = "network"
PERFECT = None


def compute(counts: Mapping[str, Any]) -> float:
    return float(counts["total"] / 1e6)
