"""Bootstrap intervals: seeds are drawn with replacement within each setting, never between settings."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import scipy

RESAMPLES = 9999
Strata = Sequence[Sequence[float]]


def mean_interval(
    strata: Strata, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Bias-corrected and accelerated (BCa) interval of the mean of the settings' means.

    None where BCa is not defined, for example if all values of all settings are equal.
    """

    def mean_of_means(*samples: np.ndarray, axis: int) -> np.ndarray:
        means: np.ndarray = sum(sample.mean(axis) for sample in samples) / len(samples)
        return means

    data = tuple(np.asarray(values, float) for values in strata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns of the degenerate cases that None reports
        found = scipy.stats.bootstrap(
            data, mean_of_means, n_resamples=resamples, confidence_level=confidence, vectorized=True, method="BCa",
            rng=np.random.default_rng(seed),
        )  # fmt: skip
    low, high = map(float, found.confidence_interval)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def stratified_interval(
    settings: Sequence[tuple[np.ndarray, ...]],
    statistic: Callable[[Sequence[tuple[np.ndarray, ...]]], np.ndarray],
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of any statistic of several settings, each of which holds one or more groups of seeds.

    Each group (n,) is resampled by itself (Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical
    Precipice", NeurIPS 2021); `statistic` gets all resamples of it at once, (R, n), and returns (R,).
    """
    generator = np.random.default_rng(seed)

    def drawn(group: np.ndarray) -> np.ndarray:
        return group[generator.integers(0, len(group), (resamples, len(group)))]

    values_R = statistic([tuple(map(drawn, groups)) for groups in settings])
    low, high = np.quantile(values_R, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
