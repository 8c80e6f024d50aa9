"""Does our number agree with a printed one? Equivalence, difference, or neither shown.

The printed number is one run and rounded; ours is the mean of n seeds. Under agreement both are draws around one
value, so their difference has the standard error sd * sqrt(1 + 1/n), and the printed number may be off by half of its
last digit besides. That half digit counts against every conclusion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import scipy

from cenbench.stats.multiple import holm
from cenbench.stats.spread import ALPHA, Spread

Word = Literal["reproduced", "off", "inconclusive"]


@dataclass(frozen=True)
class Agreement:
    """Our seeds held against one printed number, in the number's unit."""

    difference: float
    """Mean of our seeds minus the printed number."""
    margin: float
    """The difference that counts, declared before the run."""
    interval: tuple[float, float]
    """Where another single run is expected (1 - alpha), half of the printed number's last digit added on each side."""
    p_different: float
    """Two-sided: that a single run of ours would differ as much as the printed number does."""
    p_equivalent: float
    """Two one-sided tests: that the true difference reaches the margin."""


def agreement(
    values: Sequence[float],
    printed: float,
    *,
    half_digit: float,
    margin: float,
    spread: Spread,
    alpha: float = ALPHA,
) -> Agreement:
    """Compare the seeds `values` with `printed`, whose last digit is worth 2 * `half_digit`.

    `spread` is the standard deviation to judge by (`own_spread` or `pooled_spread`). Raises ValueError for a margin
    that is not positive or a spread that is zero.
    """
    if margin <= 0 or spread.sd <= 0:
        raise ValueError(f"margin {margin} and standard deviation {spread.sd} must be positive")
    mean = math.fsum(values) / len(values)
    difference = mean - printed
    error = spread.sd * math.sqrt(1 + 1 / len(values))
    reach = float(scipy.special.stdtrit(spread.df, 1 - alpha / 2)) * error + half_digit
    p_different = 2 * float(scipy.special.stdtr(spread.df, -max(0.0, abs(difference) - half_digit) / error))
    p_equivalent = float(scipy.special.stdtr(spread.df, -(margin - abs(difference) - half_digit) / error))
    return Agreement(difference, margin, (mean - reach, mean + reach), min(1.0, p_different), p_equivalent)


def words(found: Sequence[Agreement], alpha: float = ALPHA) -> list[Word]:
    """One word per number of a table, "off" corrected for the number of comparisons (Holm).

    reproduced    the true difference is shown to lie within the margin
    off           the printed number lies outside the range of single runs, and beyond the margin
    inconclusive  neither is shown
    """
    adjusted = holm([comparison.p_different for comparison in found])
    return [_word(comparison, p, alpha) for comparison, p in zip(found, adjusted, strict=True)]


def _word(found: Agreement, p_different: float, alpha: float) -> Word:
    if found.p_equivalent < alpha:
        return "reproduced"
    if p_different < alpha and abs(found.difference) > found.margin:
        return "off"
    return "inconclusive"
