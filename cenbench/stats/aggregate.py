"""One number for several settings, little moved by a single outlier: Agarwal et al., NeurIPS 2021.

"Deep Reinforcement Learning at the Edge of the Statistical Precipice", sections 4.2 and 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from cenbench.stats.bootstrap import Settings, interval_over_seeds

_Groups = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Aggregate:
    """A statistic over settings and its 95 % interval from a bootstrap over seeds."""

    value: float
    interval: tuple[float, float]


def interquartile_mean(settings: Settings, resamples: int = 2000, seed: int = 0) -> Aggregate:
    """The mean of the middle half of all values."""
    groups = [(tuple(setting), (np.array(list(setting.values())),)) for setting in settings]
    return _aggregate(groups, _middle, resamples, seed)


def probability_of_improvement(
    settings: Sequence[Mapping[int, tuple[float, float]]], resamples: int = 2000, seed: int = 0
) -> Aggregate:
    """How likely a run of A is above a run of B, in a setting drawn at random; ties count half.

    `settings` holds of each setting seed -> (run of A, run of B), larger is better.
    """
    groups = [(tuple(setting), tuple(np.array(list(setting.values())).T)) for setting in settings]
    return _aggregate(groups, _above, resamples, seed)


def _aggregate(
    settings: Sequence[tuple[tuple[int, ...], _Groups]],
    statistic: Callable[[Sequence[_Groups]], np.ndarray],
    resamples: int,
    seed: int,
) -> Aggregate:
    [value] = statistic([tuple(group[None] for group in groups) for _, groups in settings])
    return Aggregate(float(value), interval_over_seeds(settings, statistic, resamples=resamples, seed=seed))


def _middle(settings: Sequence[_Groups]) -> np.ndarray:
    """(R,) from groups of (R, n)."""
    together = np.concatenate([group for groups in settings for group in groups], axis=1)
    trimmed: np.ndarray = scipy.stats.trim_mean(together, 0.25, axis=1)
    return trimmed


def _above(settings: Sequence[_Groups]) -> np.ndarray:
    """(R,): mean over settings of Mann and Whitney's U, as a share of all pairs."""
    shares = [np.sign(a[:, :, None] - b[:, None, :]).mean((1, 2)) / 2 + 0.5 for a, b in settings]
    mean: np.ndarray = np.mean(shares, axis=0)
    return mean
