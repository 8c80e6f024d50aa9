"""Mean squared error of images in [-1, 1], over every value of the split, times ten.

The paper's "MSE" column is a root mean squared error (paper.md#table-6): compare `rmse_x10` with it.
"""

from __future__ import annotations

from torch import Tensor

from cenbench.metrics.inputs.pixels import squared_error

TITLE = "MSE \N{MULTIPLICATION SIGN}10"
UNIT = ""
BETTER = "lower"
DECIMALS = 2
NEEDS = "pixels"
PERFECT = 0.0

values = squared_error


def compute(total: Tensor, count: int) -> Tensor:
    return 10 * (total / count)
