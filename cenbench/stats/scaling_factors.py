"""What scaling factors do over a training: how many fall below the threshold and come back, and theorem 1's curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special


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


def attraction(ratio: np.ndarray) -> np.ndarray:
    """2 Phi(ratio) - 1: theorem 1's probability that zero attracts, for lambda over the size of the gradient."""
    probability: np.ndarray = special.erf(np.asarray(ratio, np.float64) / np.sqrt(2))
    return probability


def attraction_ratio(probability: np.ndarray) -> np.ndarray:
    """The inverse of `attraction`; infinite for a probability of one."""
    ratio: np.ndarray = np.sqrt(2) * special.erfinv(np.asarray(probability, np.float64))
    return ratio
