"""Is A better than B? Judged by differences of equal seeds, in one or several settings that are equal but for A and B.

Equal seeds share their order of data and, where shapes allow, their initial weights, so their difference has less
noise than the numbers themselves. Settings (say, the four pairs of table 7) are strata: each weighs the same, and
scatter is taken within them, never between.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import nct

ClaimWord = Literal["holds", "contradicted", "equal within the margin", "undecided"]
RESAMPLES = 9999
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
    bootstrap: tuple[float, float]
    """Percentile interval of the mean, seeds resampled within their settings."""
    p_better: float
    """One-sided: that A is not better."""
    p_worse: float
    """One-sided: that A is not worse."""
    share_better: float
    """Share of the paired seeds in which A is better, ties counted half."""
    pairs: int
    """Paired seeds over all settings."""


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
    reach = float(stdtrit(df, (1 + confidence) / 2)) * error
    flat = [difference for differences in strata for difference in differences]
    better = sum((difference > 0) + 0.5 * (difference == 0) for difference in flat) / len(flat)
    return Comparison(
        effect=effect,
        error=error,
        df=df,
        interval=(effect - reach, effect + reach),
        bootstrap=_bootstrap(strata, confidence, resamples, seed),
        p_better=float(stdtr(df, -effect / error)),
        p_worse=float(stdtr(df, effect / error)),
        share_better=better,
        pairs=len(flat),
    )


def claim_word(
    found: Comparison | None, margin: float, *, p_better: float | None = None, alpha: float = 0.05
) -> ClaimWord:
    """What may be said of the claim "A is better than B by a difference that counts", the `margin`.

    holds                    A is better (one-sided, alpha / 2), and by at least the margin as far as is known
    contradicted             the same with A and B exchanged
    equal within the margin  the interval lies between minus and plus the margin
    undecided                nothing of this is shown

    `p_better` replaces the comparison's own p-value where several claims are judged together (Holm).
    """
    if found is None:
        return "undecided"
    p = found.p_better if p_better is None else p_better
    if p < alpha / 2 and found.effect >= margin:
        return "holds"
    if found.p_worse < alpha / 2 and found.effect <= -margin:
        return "contradicted"
    low, high = found.interval
    return "equal within the margin" if -margin < low and high < margin else "undecided"


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
    for count in range(2, MOST_SEEDS + 1):
        df = len(strata) * (count - 1)
        needed = float(stdtrit(df, 1 - alpha / 2))
        if float(nct.sf(needed, df, margin / (sd / math.sqrt(count)))) >= power:
            return count
    return None


def _bootstrap(strata: Sequence[Sequence[float]], confidence: float, resamples: int, seed: int) -> tuple[float, float]:
    """Stratified percentile bootstrap of the mean of means."""
    if resamples < 1:
        return math.nan, math.nan
    generator = np.random.default_rng(seed)
    drawn = np.zeros(resamples)
    for differences in strata:
        values = np.asarray(differences, float)
        rows = generator.integers(0, len(values), (resamples, len(values)))
        drawn += values[rows].mean(1) / len(strata)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
