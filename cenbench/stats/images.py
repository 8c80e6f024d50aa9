"""What the choice of test images contributes: a bootstrap over images, of metrics that are functions of their sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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


def with_others_merged(counts_NKK: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """(N, L + 1, L + 1) counts of these classes, in their order, and of all others as one class, the last."""
    place_K = np.full(counts_NKK.shape[1], len(labels))
    place_K[list(labels)] = np.arange(len(labels))
    onto_LK = np.eye(len(labels) + 1, dtype=counts_NKK.dtype)[:, place_K]
    merged_NLL: np.ndarray = onto_LK @ counts_NKK @ onto_LK.T
    return merged_NLL


def resampled_edges(metric: str, sums: Mapping[str, np.ndarray], weights_RN: np.ndarray) -> np.ndarray | None:
    """float64 (R,) values of a metric of errors near edges or away from them: sums over numbers; None for others."""
    if metric not in _OF_EDGES:
        return None
    total_N, count_N = (sums[f"{_OF_EDGES[metric]}_{part}"] for part in ("total", "count"))
    with np.errstate(invalid="ignore", divide="ignore"):
        error_R: np.ndarray = 10 * (weights_RN @ total_N) / (weights_RN @ count_N)
    return error_R


def _mean_iou(pooled_RKK: np.ndarray) -> np.ndarray:
    hits, truth, predicted = _sums(pooled_RKK)
    return _mean_where(hits, truth + predicted - hits)


def _mean_accuracy(pooled_RKK: np.ndarray) -> np.ndarray:
    hits, truth, _ = _sums(pooled_RKK)
    return _mean_where(hits, truth)


def _pixel_accuracy(pooled_RKK: np.ndarray) -> np.ndarray:
    hits, truth, _ = _sums(pooled_RKK)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: np.ndarray = 100 * hits.sum(1) / truth.sum(1)
    return share


def _sums(pooled_RKK: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.einsum("rkk->rk", pooled_RKK), pooled_RKK.sum(2), pooled_RKK.sum(1)


def _mean_where(hits_RK: np.ndarray, total_RK: np.ndarray) -> np.ndarray:
    """Percent, the mean over the classes that occur; NaN where none does."""
    occurs_RK = total_RK > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        share_RK = np.where(occurs_RK, hits_RK / total_RK, 0.0)
        share: np.ndarray = 100 * (share_RK.sum(axis=1) / occurs_RK.sum(axis=1))
    return share


def _mean_iou_of_named(pooled_RLL: np.ndarray) -> np.ndarray:
    """Of all classes but the last, which stands for all others."""
    hits, truth, predicted = (sums[:, :-1] for sums in _sums(pooled_RLL))
    return _mean_where(hits, truth + predicted - hits)


_OF_CONFUSION: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "miou_pct": _mean_iou,
    "thin_iou_pct": _mean_iou_of_named,
    "boundary_iou_pct": _mean_iou_of_named,
    "mean_acc_pct": _mean_accuracy,
    "pixel_acc_pct": _pixel_accuracy,
}
_OF_MEAN: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "mae_x10": lambda mean_R: 10 * mean_R,
    "mse_x10": lambda mean_R: 10 * mean_R,
    "rmse_x10": lambda mean_R: 10 * np.sqrt(mean_R),
}
_OF_EDGES: Mapping[str, str] = {"mae_near_x10": "near", "mae_away_x10": "away"}


def mean_iou_pct(counts_KK: np.ndarray) -> float | None:
    """Mean IoU (%) of one image over the classes that it has or that are predicted in it; None without labelled pixels.

    `counts_KK` are pixels `[ground truth, prediction]`.
    """
    return float(_mean_iou(counts_KK[None])[0]) if counts_KK.any() else None
