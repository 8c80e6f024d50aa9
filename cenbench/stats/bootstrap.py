"""Bootstrap intervals: seeds are drawn with replacement, the same ones in every setting that has them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy

RESAMPLES = 9999
Settings = Sequence[Mapping[int, float]]
"""Of each setting, seed -> a number of that seed."""


def mean_interval(
    values: np.ndarray, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Bias-corrected and accelerated (BCa) interval of the mean of `values` (n,).

    None where BCa is not defined, for example if all values are equal.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns of the degenerate cases that None reports
        found = scipy.stats.bootstrap(
            (values,), np.mean, n_resamples=resamples, confidence_level=confidence, method="BCa",
            rng=np.random.default_rng(seed),
        )  # fmt: skip
    low, high = map(float, found.confidence_interval)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def interval_over_seeds(
    settings: Sequence[tuple[tuple[int, ...], tuple[np.ndarray, ...]]],
    statistic: Callable[[Sequence[tuple[np.ndarray, ...]]], np.ndarray],
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of any statistic of several settings: of each its seeds, and groups (n,) of one value a seed.

    The stratified bootstrap of Agarwal et al. ("Deep Reinforcement Learning at the Edge of the Statistical Precipice",
    NeurIPS 2021), except that settings with the same seeds draw the same ones: their runs are not independent, and may
    be the same run. `statistic` gets all resamples of the groups at once, (R, n), and returns (R,).
    """
    generator = np.random.default_rng(seed)
    drawn: dict[tuple[int, ...], np.ndarray] = {}
    for seeds, _ in settings:
        if seeds not in drawn:
            drawn[seeds] = generator.integers(0, len(seeds), (resamples, len(seeds)))
    values_R = statistic([tuple(group[drawn[seeds]] for group in groups) for seeds, groups in settings])
    low, high = np.quantile(values_R, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
