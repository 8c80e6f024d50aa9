"""Mean absolute error of images in [-1, 1] away from edges of the target, times ten."""

from __future__ import annotations

from cenbench.metrics.inputs.edges import EdgeErrors

TITLE = "MAE away from edges \N{MULTIPLICATION SIGN}10"
UNIT = ""
BETTER = "lower"
DECIMALS = 2
NEEDS = "edges"
PERFECT = 0.0


def compute(errors: EdgeErrors) -> float:
    return 10 * errors.away_total / errors.away_count
