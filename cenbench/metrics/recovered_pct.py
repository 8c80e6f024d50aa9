"""Share of the scaling factors once under theta that are not under it at the end of training (figure 5).

Of the penalised factors of the traced layers, at the recorded points; those that start under theta count too.
"""

from __future__ import annotations

import math

import numpy as np

from cenbench.metrics.inputs.gammas import GammaArrays

TITLE = "Recovered scaling factors"
UNIT = "%"
BETTER = "lower"
DECIMALS = 1
NEEDS = "gammas"
PERFECT = None


def compute(gammas: GammaArrays) -> float:
    under_TN = np.abs(gammas.path_TN) < gammas.theta
    if not under_TN.any():
        return math.nan
    fell_N = under_TN.any(axis=0)
    return float(100.0 * (~under_TN[-1] & fell_N).sum() / fell_N.sum())
