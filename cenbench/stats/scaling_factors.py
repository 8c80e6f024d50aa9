"""What scaling factors do over a training: how many fall below the threshold and come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recovery:
    """Channels whose scaling factor was below theta at some point, and those of them that were not at a later one."""

    channels: int
    fallen: int
    recovered: int
    """Of those that fell: at the last point above theta again."""


def recovery(gamma_TC: np.ndarray, theta: float) -> Recovery:
    """Counts over channels. A channel that is below theta from the first point on counts as fallen."""
    below_TC = np.abs(gamma_TC) < theta
    if not len(below_TC):
        return Recovery(gamma_TC.shape[1], 0, 0)
    fallen_C = below_TC.any(axis=0)
    return Recovery(gamma_TC.shape[1], int(fallen_C.sum()), int((fallen_C & ~below_TC[-1]).sum()))
