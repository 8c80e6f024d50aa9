"""Share of the channels after exchanging norms that exchange replaces: of one modality, or of all for the ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLE = "Exchanged channels"
UNIT = "%"
BETTER = "neither"
DECIMALS = 1
NEEDS = "exchange"
PERFECT = None


def compute(overall: Mapping[str, Any], stream: str) -> float:
    return 100.0 * float(overall[stream])
