"""Mean absolute error of images in [-1, 1] near edges of the target, times ten."""

from __future__ import annotations

from cenbench.metrics.inputs.edges import EdgeErrors

TITLE = "MAE near edges \N{MULTIPLICATION SIGN}10"
UNIT = ""
BETTER = "lower"
DECIMALS = 2
NEEDS = "edges"
PERFECT = 0.0


def compute(errors: EdgeErrors) -> float:
    return 10 * errors.near_total / errors.near_count
