"""How much larger the share of channels that zero attracts is than theorem 1 predicts, in percentage points.

Zero attracts a channel where the task's gradient with respect to its scaling factor is smaller than lambda. The mean
over channels and recorded points (paper.md#theorem-1). Without an l1 term, nothing is predicted and there is no number.
"""

from __future__ import annotations

import math

import numpy as np

from cenbench.metrics.inputs.gammas import GammaArrays

TITLE = "Attracted beyond theorem 1"
UNIT = "points"
BETTER = "higher"
DECIMALS = 1
NEEDS = "gammas"
PERFECT = None


def compute(gammas: GammaArrays) -> float:
    if not gammas.probability_TL.size or gammas.lambda_l1 == 0:
        return math.nan
    excess_TL = gammas.small_gradient_TL.astype(np.float64) - gammas.probability_TL
    return float(100.0 * np.average(excess_TL.mean(axis=0), weights=gammas.channels_L))
