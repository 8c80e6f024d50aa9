"""Theorem 1 as numbers: how probable it is that zero attracts a scaling factor, and where its assumption fails.

Source: paper.md#theorem-1. The gradient of the loss with respect to a scaling factor is dL/dx' times the normalised
value, which the proof takes for a standard normal variable. Zero attracts the factor where that product is smaller in
magnitude than lambda.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy


def attraction(ratio: np.ndarray) -> np.ndarray:
    """2 Phi(ratio) - 1: theorem 1's probability that zero attracts, for lambda over the size of the gradient."""
    probability: np.ndarray = scipy.special.erf(np.asarray(ratio, np.float64) / np.sqrt(2))
    return probability


def attraction_ratio(probability: np.ndarray) -> np.ndarray:
    """The inverse of `attraction`; infinite for a probability of one."""
    ratio: np.ndarray = np.sqrt(2) * scipy.special.erfinv(np.asarray(probability, np.float64))
    return ratio


def attraction_probability(lambda_l1: float, gradient: np.ndarray) -> np.ndarray:
    """2 Phi(lambda / |dL/dx'|) - 1, elementwise: P(|dL/dx' z| < lambda) for a standard normal z.

    `gradient` is dL/dx', the gradient with respect to the norm's output. The bound at zero: 1 for any positive lambda.
    Without an l1 term nothing attracts: 0. ValueError for a negative lambda.
    """
    if lambda_l1 < 0:
        raise ValueError(f"lambda {lambda_l1} must not be negative")
    size = np.abs(np.asarray(gradient, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = attraction(lambda_l1 / size)
    return np.where(size == 0, float(lambda_l1 > 0), found)


@dataclass(frozen=True)
class Calibration:
    """Predicted and measured share of attracted channels in ten groups, ordered by the prediction."""

    predicted: np.ndarray
    """(10,) mean probability of theorem 1."""
    measured: np.ndarray
    """(10,) share of channels whose gradient is smaller than lambda."""

    @property
    def gap(self) -> float:
        """Mean absolute difference of the two: 0 where the theorem's probability is the measured share throughout."""
        return float(np.abs(self.predicted - self.measured).mean())


def calibration(predicted_TMD: np.ndarray, measured_TMD: np.ndarray) -> Calibration:
    """Over all points and modalities of a recorded training (`probability_tenths`, `small_gradient_tenths`).

    ValueError for arrays of different shapes or without points.
    """
    if predicted_TMD.shape != measured_TMD.shape or predicted_TMD.ndim != 3 or not predicted_TMD.size:
        raise ValueError(f"tenths of shapes {predicted_TMD.shape} and {measured_TMD.shape}")
    return Calibration(predicted_TMD.mean((0, 1), dtype=np.float64), measured_TMD.mean((0, 1), dtype=np.float64))


def gaussian_departure(deciles_TMD: np.ndarray) -> np.ndarray:
    """How far |gradient| is from a half-normal distribution over channels: (..., 9) ratios of its deciles to those of
    the half-normal distribution with the same median. 1 where the gradients are Gaussian; over 1 in the last decile
    where their tails are heavier. NaN where the median is zero.
    """
    quantile_D = attraction_ratio(np.arange(1, 10) / 10)
    median = np.asarray(deciles_TMD, np.float64)[..., 4:5]
    scale = np.where(median > 0, median, np.nan) / quantile_D[4]
    return np.asarray(deciles_TMD / (scale * quantile_D))
