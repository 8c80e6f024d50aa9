"""Is A better than B? Judged by differences of equal seeds, in one or several settings that are equal but for A and B.

Equal seeds share their order of data and, where shapes allow, their initial weights, so their difference has less
noise than the numbers themselves. Settings (say, the four pairs of table 7) are strata: each weighs the same, and
scatter is taken within them, never between.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import scipy

from cenbench.stats.bootstrap import RESAMPLES, mean_interval

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Comparison:
    """A minus B, positive where A is better, in the metric's unit."""

    effect: float
    """Mean over settings of the mean difference over seeds."""
    error: float
    """Its standard error."""
    df: float
    """Degrees of freedom (Welch and Satterthwaite's over several settings)."""
    interval: tuple[float, float]
    """t interval at the confidence asked for."""
    bootstrap: tuple[float, float] | None
    """Bootstrap interval (BCa), seeds resampled within their settings; None where undefined or not asked for."""
    p_better: float
    """One-sided: that A is not better."""
    p_worse: float
    """One-sided: that A is not worse."""
    share_better: float
    """Share of the paired seeds in which A is better, ties counted half."""
    pairs: int
    """Paired seeds over all settings."""

    @property
    def p_two_sided(self) -> float:
        """That neither is better."""
        return min(1.0, 2 * min(self.p_better, self.p_worse))

    def is_within(self, margin: float) -> bool:
        """Whether the interval lies within the margin on both sides of zero."""
        low, high = self.interval
        return -margin < low and high < margin


def compare(
    strata: Sequence[Sequence[float]], *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison | None:
    """Compare by the differences (A minus B, better is positive) of the seeds of each setting.

    None where nothing can be said: a setting with fewer than two pairs, or differences without any scatter.
    """
    if not strata or any(len(differences) < 2 for differences in strata):
        return None
    means = [math.fsum(differences) / len(differences) for differences in strata]
    shares = [statistics.variance(differences) / len(differences) / len(strata) ** 2 for differences in strata]
    variance = math.fsum(shares)
    if variance <= 0:
        return None
    effect, error = math.fsum(means) / len(means), math.sqrt(variance)
    df = variance**2 / math.fsum(
        share**2 / (len(differences) - 1) for share, differences in zip(shares, strata, strict=True)
    )
    reach = float(scipy.special.stdtrit(df, (1 + confidence) / 2)) * error
    flat = [difference for differences in strata for difference in differences]
    better = sum((difference > 0) + 0.5 * (difference == 0) for difference in flat) / len(flat)
    return Comparison(
        effect=effect,
        error=error,
        df=df,
        interval=(effect - reach, effect + reach),
        bootstrap=mean_interval(strata, confidence, resamples, seed) if resamples else None,
        p_better=float(scipy.special.stdtr(df, -effect / error)),
        p_worse=float(scipy.special.stdtr(df, effect / error)),
        share_better=better,
        pairs=len(flat),
    )


def seeds_needed(
    strata: Sequence[Sequence[float]], margin: float, *, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Seeds per setting that would show a true difference of the margin with this power, at the scatter seen so far.

    None where no scatter is known or more than `MOST_SEEDS` would be needed.
    """
    found = compare(strata, resamples=0)
    if found is None:
        return None
    # The error shrinks with the root of the seeds; `error` belongs to the mean count of seeds seen.
    seen = sum(map(len, strata)) / len(strata)
    sd = found.error * math.sqrt(seen)

    def power_of(count: int) -> float:
        df = len(strata) * (count - 1)
        needed = float(scipy.special.stdtrit(df, 1 - alpha / 2))
        shown = float(scipy.stats.nct.sf(needed, df, margin / (sd / math.sqrt(count))))
        return 1.0 if math.isnan(shown) else shown  # SciPy gives NaN far beyond what any margin needs

    if power_of(MOST_SEEDS) < power:
        return None
    return bisect_left(range(MOST_SEEDS + 1), power, lo=2, key=power_of)
