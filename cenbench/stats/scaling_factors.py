"""What scaling factors do over a training: how many fall below the threshold and come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recovered:
    """The counts behind the metric `recovered_pct`, which is the share of `fallen` that are `recovered`."""

    fallen: int
    """Channels whose scaling factor was below theta at some point."""
    recovered: int
    """Those of them that were not below it at the last point."""


def recovered(gamma_TC: np.ndarray, theta: float) -> Recovered:
    """Counts over channels. A channel that is below theta from the first point on counts as fallen."""
    below_TC = np.abs(gamma_TC) < theta
    if not len(below_TC):
        return Recovered(0, 0)
    fallen_C = below_TC.any(axis=0)
    return Recovered(int(fallen_C.sum()), int((fallen_C & ~below_TC[-1]).sum()))
