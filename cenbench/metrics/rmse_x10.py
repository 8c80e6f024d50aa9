"""Root mean squared error of images in [-1, 1], over every value of the split, times ten.

The root is taken once, of the pooled mean; a mean of the batches' roots would depend on the batch size.
"""

from __future__ import annotations

from torch import Tensor

from cenbench.metrics.inputs.pixels import squared_error

TITLE = "RMSE \N{MULTIPLICATION SIGN}10"
UNIT = ""
BETTER = "lower"
DECIMALS = 2
NEEDS = "pixels"
PERFECT = 0.0

values = squared_error


def compute(total: Tensor, count: int) -> Tensor:
    return 10 * (total / count).sqrt()
