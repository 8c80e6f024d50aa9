"""How far seeds of one network scatter: pooled over the networks of a table where their variances allow it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import scipy

ALPHA = 0.05
FEWEST = 3
"""Seeds a network needs before its own scatter says anything."""


@dataclass(frozen=True)
class Spread:
    """A standard deviation over seeds, in the unit of the numbers, and the degrees of freedom behind it."""

    sd: float
    df: int
    pooled: bool
    """Whether several networks share it."""


def standard_deviation(values: Sequence[float]) -> float:
    """The standard deviation of at least two numbers (n - 1); exactly zero where they are equal.

    Agrees with `statistics.stdev`, which computes in fractions and takes ten times as long, to the last digit or two.
    """
    differences = [value - values[0] for value in values]
    mean = math.fsum(differences) / len(differences)
    return math.sqrt(math.fsum((difference - mean) ** 2 for difference in differences) / (len(differences) - 1))


def own_spread(values: Sequence[float]) -> Spread | None:
    """The standard deviation of one network's seeds; None for fewer than `FEWEST`, or where they do not differ.

    Equal numbers say that the seed had no effect on them (imported weights, a metric at its limit), not that chance
    has none.
    """
    if len(values) < FEWEST:
        return None
    sd = standard_deviation(values)
    return Spread(sd, len(values) - 1, pooled=False) if sd > 0 else None


def pooled_spread(groups: Sequence[Sequence[float]], alpha: float = ALPHA) -> Spread | None:
    """One standard deviation for several networks; None where their variances differ, or fewer than two have any.

    Each group holds the seeds of one network. Brown and Forsythe's test (Levene's about medians) decides at level
    `alpha`; groups of fewer than `FEWEST` seeds, and groups without any scatter, take no part.
    """
    own = [(group, spread) for group in groups if (spread := own_spread(group)) is not None]
    if len(own) < 2:
        return None
    if scipy.stats.levene(*(group for group, _ in own), center="median").pvalue < alpha:
        return None
    df = sum(spread.df for _, spread in own)
    variance = math.fsum(spread.df * spread.sd**2 for _, spread in own) / df
    return Spread(math.sqrt(variance), df, pooled=True)
