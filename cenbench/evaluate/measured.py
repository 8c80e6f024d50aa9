"""The result of evaluating a trained cell. Torch-free, so that records can store it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measured:
    """Metrics, parameter counts and sample pictures of one trained cell."""

    metrics: Mapping[str, Mapping[str, float]]
    """stream -> metric -> value."""
    stand_in: Mapping[str, str] = field(default_factory=dict)
    """metric -> label, for numbers not comparable with the paper's."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameter counts and the ensemble's learned weights."""
    samples: Mapping[str, bytes] = field(default_factory=dict)
    """file name -> PNG, for the fixed sample ids."""
