"""Share of the channels that are small for any modality which are so for several: 0 where the small sets are disjoint.

Small: the scaling factor is under theta in the evaluated network. Figures 11 and 12.
"""

from __future__ import annotations

import math

import numpy as np

from cenbench.metrics.inputs.gammas import GammaArrays

TITLE = "Small for several modalities"
UNIT = "%"
BETTER = "lower"
DECIMALS = 1
NEEDS = "gammas"
PERFECT = None


def compute(gammas: GammaArrays) -> float:
    small_MN = np.abs(gammas.final_MN) < gammas.theta
    if len(small_MN) < 2 or not small_MN.any():
        return math.nan
    times_N = small_MN.sum(axis=0)
    return float(100.0 * (times_N >= 2).sum() / (times_N >= 1).sum())
