"""What scaling factors do over a training: how many are below the threshold at some point, and come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recovered:
    """The counts behind the metric `recovered_pct`, which is the share of `small` that are `recovered`."""

    small: int
    """Channels whose scaling factor was below theta at some point."""
    small_at_first: int
    """Those of them that were below it at the first point: they did not fall below it in training."""
    recovered: int
    """Those of all that were not below it at the last point."""


def recovered(gamma_TC: np.ndarray, theta: float) -> Recovered:
    """Counts over channels."""
    below_TC = np.abs(gamma_TC) < theta
    if not len(below_TC):
        return Recovered(0, 0, 0)
    small_C = below_TC.any(axis=0)
    return Recovered(int(small_C.sum()), int(below_TC[0].sum()), int((small_C & ~below_TC[-1]).sum()))
