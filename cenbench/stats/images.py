"""What the choice of test images contributes: a bootstrap over images, of metrics that are functions of their sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

RESAMPLES = 1000


def image_weights(images: int, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """float64 (R, N): how often each image is drawn in each resample. The same for all networks, so they are paired."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(images, np.full(images, 1 / images), size=resamples).astype(float)


def resampled_confusion(metric: str, counts_NKK: np.ndarray, weights_RN: np.ndarray) -> np.ndarray | None:
    """float64 (R,) values of a metric of pooled counts `[ground truth, prediction]`; None for unknown metrics."""
    if metric not in _OF_CONFUSION:
        return None
    N, K, _ = counts_NKK.shape
    pooled_RKK = (weights_RN @ counts_NKK.reshape(N, K * K).astype(float)).reshape(-1, K, K)
    return _OF_CONFUSION[metric](pooled_RKK)


def resampled_mean(metric: str, mean_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray | None:
    """float64 (R,) values of a metric of the images' mean errors, for images of one size; None for unknown ones."""
    if metric not in _OF_MEAN:
        return None
    return _OF_MEAN[metric](weights_RN @ mean_N / weights_RN.sum(1))


def scores_of_images(metric: str, counts_NKK: np.ndarray) -> np.ndarray | None:
    """float64 (N,): the metric of each image by itself; None for unknown metrics."""
    return resampled_confusion(metric, counts_NKK, np.eye(len(counts_NKK)))


def _mean_iou(pooled_RKK: np.ndarray) -> np.ndarray:
    hits, truth, predicted = _sums(pooled_RKK)
    return _mean_where(hits, truth + predicted - hits)


def _mean_accuracy(pooled_RKK: np.ndarray) -> np.ndarray:
    hits, truth, _ = _sums(pooled_RKK)
    return _mean_where(hits, truth)


def _pixel_accuracy(pooled_RKK: np.ndarray) -> np.ndarray:
    hits, truth, _ = _sums(pooled_RKK)
    share: np.ndarray = 100 * hits.sum(1) / truth.sum(1)
    return share


def _sums(pooled_RKK: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.einsum("rkk->rk", pooled_RKK), pooled_RKK.sum(2), pooled_RKK.sum(1)


def _mean_where(hits_RK: np.ndarray, total_RK: np.ndarray) -> np.ndarray:
    """Percent, the mean over the classes that occur."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share: np.ndarray = 100 * np.nanmean(np.where(total_RK > 0, hits_RK / total_RK, np.nan), axis=1)
    return share


_OF_CONFUSION: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "miou_pct": _mean_iou,
    "mean_acc_pct": _mean_accuracy,
    "pixel_acc_pct": _pixel_accuracy,
}
_OF_MEAN: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "mae_x10": lambda mean_R: 10 * mean_R,
    "mse_x10": lambda mean_R: 10 * mean_R,
    "rmse_x10": lambda mean_R: 10 * np.sqrt(mean_R),
}


def mean_iou_pct(counts_KK: np.ndarray) -> float | None:
    """Mean IoU (%) of one image over the classes that it has or that are predicted in it; None without labelled pixels.

    `counts_KK` are pixels `[ground truth, prediction]`.
    """
    return float(_mean_iou(counts_KK[None])[0]) if counts_KK.any() else None
