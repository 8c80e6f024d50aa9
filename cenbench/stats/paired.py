"""Is A better than B? Judged by differences of equal seeds, in one or several settings that are equal but for A and B.

Equal seeds share their order of data and, where shapes allow, their initial weights, so their difference has less
noise than the numbers themselves. For the same reason a seed's differences in several settings rise and fall together,
all the more where settings share a network. So the seed is the unit: every setting weighs the same, and scatter is
taken between seeds, as for clusters.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import scipy

from cenbench.stats.bootstrap import RESAMPLES, Settings, mean_interval
from cenbench.stats.unanimous import p_unanimous, unanimous_interval

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Comparison:
    """A minus B, positive where A is better, in the metric's unit."""

    effect: float
    """Mean over settings of the mean difference over seeds."""
    error: float
    """Its standard error; zero where all seeds agree."""
    df: int
    """Degrees of freedom: one less than there are seeds."""
    interval: tuple[float, float]
    """t interval at the confidence asked for; exact where all seeds agree."""
    bootstrap: tuple[float, float] | None
    """Bootstrap interval (BCa) over seeds; None where undefined or not asked for."""
    p_better: float
    """One-sided: that A is not better."""
    p_worse: float
    """One-sided: that A is not worse."""
    share_better: float
    """Share of the paired seeds in which A is better, ties counted half."""
    pairs: int
    """Paired seeds over all settings."""
    limits: tuple[float, float] | None = None
    """Smallest and largest difference that is possible, where all seeds agree, so that no t test can be made."""
    is_counted: bool = False
    """Whether the numbers are counted on the networks, not measured: the effect is certain."""

    def p_above(self, threshold: float) -> float:
        """One-sided: that the true effect is not above the threshold."""
        if self.is_counted:
            return float(self.effect <= threshold)
        if self.limits is not None:
            return p_unanimous(self.effect, threshold, self.limits[0], self.df + 1)
        return float(scipy.special.stdtr(self.df, -(self.effect - threshold) / self.error))

    def p_below(self, threshold: float) -> float:
        """One-sided: that the true effect is not below the threshold."""
        if self.is_counted:
            return float(self.effect >= threshold)
        if self.limits is not None:
            return p_unanimous(self.effect, threshold, self.limits[1], self.df + 1)
        return float(scipy.special.stdtr(self.df, (self.effect - threshold) / self.error))

    @property
    def p_two_sided(self) -> float:
        """That neither is better."""
        return min(1.0, 2 * min(self.p_better, self.p_worse))

    def is_within(self, margin: float) -> bool:
        """Whether the interval lies within the margin on both sides of zero."""
        low, high = self.interval
        return -margin < low and high < margin


def seed_effects(settings: Settings) -> np.ndarray:
    """(S,): what each seed says of the effect. Their mean is the mean over settings of the mean over seeds.

    Where every setting has every seed, a seed's mean over settings. Otherwise the effect plus S times the seed's
    influence on it, so that the standard error of their mean is the cluster-robust one (Liang and Zeger, "Longitudinal
    data analysis using generalized linear models", 1986) with seeds as clusters and the usual S / (S - 1).
    """
    means = [math.fsum(setting.values()) / len(setting) for setting in settings]
    influence = {seed: 0.0 for setting in settings for seed in setting}
    for setting, mean in zip(settings, means, strict=True):
        for seed, difference in setting.items():
            influence[seed] += (difference - mean) / len(setting) / len(settings)
    return math.fsum(means) / len(means) + len(influence) * np.array(list(influence.values()))


def compare(
    settings: Settings,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    limits: tuple[float, float] | None = None,
) -> Comparison | None:
    """Compare by the differences (A minus B, better is positive) of the seeds of each setting.

    `limits` are the smallest and the largest difference that is possible. None where nothing can be said: a setting
    with fewer than two seeds, or seeds without any scatter whose differences have no limits.
    """
    if not settings or any(len(setting) < 2 for setting in settings):
        return None
    seeds = seed_effects(settings)
    effect, error, df = float(seeds.mean()), float(seeds.std(ddof=1)) / math.sqrt(len(seeds)), len(seeds) - 1
    better, pairs = _share_better(settings)
    if error <= 1e-12 * max(1.0, abs(effect)):  # equal but for rounding
        fewest = min(map(len, settings))
        return None if limits is None else _unanimous(effect, fewest, limits, confidence, better, pairs)
    reach = float(scipy.special.stdtrit(df, (1 + confidence) / 2)) * error
    return Comparison(
        effect=effect,
        error=error,
        df=df,
        interval=(effect - reach, effect + reach),
        bootstrap=mean_interval(seeds, confidence, resamples, seed) if resamples else None,
        p_better=float(scipy.special.stdtr(df, -effect / error)),
        p_worse=float(scipy.special.stdtr(df, effect / error)),
        share_better=better,
        pairs=pairs,
    )


def compare_counts(settings: Settings) -> Comparison:
    """Compare numbers that are counted on the networks, such as parameters: equal for all seeds, one is enough."""
    effect = float(seed_effects(settings).mean())
    better, pairs = _share_better(settings)
    return Comparison(
        effect=effect,
        error=0.0,
        df=min(map(len, settings)) - 1,
        interval=(effect, effect),
        bootstrap=None,
        p_better=float(effect <= 0),
        p_worse=float(effect >= 0),
        share_better=better,
        pairs=pairs,
        is_counted=True,
    )


def _share_better(settings: Settings) -> tuple[float, int]:
    """Share of the paired seeds in which A is better, ties counted half, and how many pairs there are."""
    flat = [difference for setting in settings for difference in setting.values()]
    return sum((difference > 0) + 0.5 * (difference == 0) for difference in flat) / len(flat), len(flat)


def _unanimous(
    effect: float, seeds: int, limits: tuple[float, float], confidence: float, share_better: float, pairs: int
) -> Comparison:
    """All seeds show the same difference, which lies within the limits but for rounding."""
    seen = min(max(effect, limits[0]), limits[1])
    return Comparison(
        effect=seen,
        error=0.0,
        df=seeds - 1,
        interval=unanimous_interval(seen, limits, seeds, confidence),
        bootstrap=None,
        p_better=p_unanimous(seen, 0.0, limits[0], seeds),
        p_worse=p_unanimous(seen, 0.0, limits[1], seeds),
        share_better=share_better,
        pairs=pairs,
        limits=limits,
    )


def seeds_needed(settings: Settings, margin: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Seeds that would show a true difference of the margin with this power, at the scatter seen so far.

    None where no scatter is known or more than `MOST_SEEDS` would be needed.
    """
    found = compare(settings, resamples=0)
    if found is None:
        return None
    sd = found.error * math.sqrt(found.df + 1)

    def power_of(count: int) -> float:
        df = count - 1
        needed = float(scipy.special.stdtrit(df, 1 - alpha / 2))
        shown = float(scipy.stats.nct.sf(needed, df, margin / (sd / math.sqrt(count))))
        return 1.0 if math.isnan(shown) else shown  # SciPy gives NaN far beyond what any margin needs

    if power_of(MOST_SEEDS) < power:
        return None
    return bisect_left(range(MOST_SEEDS + 1), power, lo=2, key=power_of)
