"""An independent implementation of every metric, for tests/test_metrics_plugins.py: one function per key.

They use NumPy, SciPy, torch-fidelity, or loops, and none of `cenbench.metrics`. `Reference.rel` is how far float
rounding may take two right implementations apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter
from torch import Tensor

from cenbench.metrics.inputs.gammas import GammaArrays


class Reference(NamedTuple):
    """A metric of one stream.

    `compute` takes what the metric needs: for "confusion", "thin" and "boundaries" predicted and true classes (N, H, W)
    and the void label; for "pixels" and "edges" images and targets (N, C, H, W) in [-1, 1]; for "features" two sets
    (N, D) and the subsets' count, size and seed; for "network" the counts; for "exchange" the shares and the
    stream; for "gammas" the arrays.
    """

    compute: Callable[..., float]
    rel: float


def _recovered_pct(gammas: GammaArrays) -> float:
    """One channel at a time."""
    fell = came_back = 0
    for path in gammas.path_TN.T.tolist():
        if any(abs(gamma) < gammas.theta for gamma in path):
            fell += 1
            came_back += abs(path[-1]) >= gammas.theta
    return 100 * came_back / fell


def _shared_small_pct(gammas: GammaArrays) -> float:
    one, other = ({n for n, gamma in enumerate(row) if abs(gamma) < gammas.theta} for row in gammas.final_MN.tolist())
    return 100 * len(one & other) / len(one | other)


def _theorem_excess_pct(gammas: GammaArrays) -> float:
    """Summed over channels, as if each were listed."""
    total = count = 0.0
    for measured, predicted in zip(gammas.small_gradient_TL.tolist(), gammas.probability_TL.tolist(), strict=True):
        for a, b, channels in zip(measured, predicted, gammas.channels_L.tolist(), strict=True):
            total += channels * (a - b)
            count += channels
    return 100 * total / count


def _counts(prediction: Tensor, label: Tensor, void: int) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    """class -> hits, class -> pixels of the ground truth, class -> pixels predicted; one pixel at a time."""
    hits: dict[int, int] = {}
    of_truth: dict[int, int] = {}
    of_prediction: dict[int, int] = {}
    for guess, truth in zip(prediction.flatten().tolist(), label.flatten().tolist(), strict=True):
        if truth == void:
            continue
        of_truth[truth] = of_truth.get(truth, 0) + 1
        of_prediction[guess] = of_prediction.get(guess, 0) + 1
        hits[truth] = hits.get(truth, 0) + (guess == truth)
    return hits, of_truth, of_prediction


def _ious(prediction: Tensor, label: Tensor, void: int) -> tuple[dict[int, float], dict[int, int]]:
    """class -> IoU of those that occur anywhere, and class -> pixels of the ground truth."""
    hits, of_truth, of_prediction = _counts(prediction, label, void)
    found = {}
    for label_class in of_truth.keys() | of_prediction.keys():
        hit = hits.get(label_class, 0)
        found[label_class] = hit / (of_truth.get(label_class, 0) + of_prediction.get(label_class, 0) - hit)
    return found, of_truth


def _miou_pct(prediction: Tensor, label: Tensor, void: int) -> float:
    ious, _ = _ious(prediction, label, void)
    return 100 * math.fsum(ious.values()) / len(ious)


def _fwiou_pct(prediction: Tensor, label: Tensor, void: int) -> float:
    ious, of_truth = _ious(prediction, label, void)
    return (
        100 * math.fsum(pixels * ious[label_class] for label_class, pixels in of_truth.items()) / sum(of_truth.values())
    )


def _pixel_acc_pct(prediction: Tensor, label: Tensor, void: int) -> float:
    hits, of_truth, _ = _counts(prediction, label, void)
    return 100 * sum(hits.values()) / sum(of_truth.values())


def _mean_acc_pct(prediction: Tensor, label: Tensor, void: int) -> float:
    hits, of_truth, _ = _counts(prediction, label, void)
    return 100 * math.fsum(hits[label_class] / pixels for label_class, pixels in of_truth.items()) / len(of_truth)


THIN = (1, 3)
"""Labels of the thin classes of the tests."""


def _thin_iou_pct(prediction: Tensor, label: Tensor, void: int) -> float:
    ious, _ = _ious(prediction, label, void)
    thin = [iou for label_class, iou in ious.items() if label_class in THIN]
    return 100 * math.fsum(thin) / len(thin)


def _boundary(mask_HW: np.ndarray) -> np.ndarray:
    """As `mask_to_boundary` of the authors' code (bowenc0221/boundary-iou-api): the mask, framed by one pixel of
    background, without what is left of it after so many erosions by 3 x 3 pixels.
    """
    height, width = mask_HW.shape
    dilation = max(1, round(0.02 * math.sqrt(height**2 + width**2)))
    framed = np.pad(mask_HW, 1)
    eroded = binary_erosion(framed, np.ones((3, 3)), iterations=dilation, border_value=1)[1:-1, 1:-1]
    boundary: np.ndarray = mask_HW & ~eroded
    return boundary


def _boundary_iou_pct(prediction: Tensor, label: Tensor, void: int) -> float:
    """One class and image at a time; void pixels belong to no class."""
    ious = []
    for label_class in set(label.unique().tolist()) | set(prediction[label != void].unique().tolist()) - {void}:
        both = either = 0
        for shown, truth in zip(prediction.numpy(), label.numpy(), strict=True):
            of_truth = _boundary(truth == label_class)
            of_prediction = _boundary((shown == label_class) & (truth != void))
            both += int((of_truth & of_prediction).sum())
            either += int((of_truth | of_prediction).sum())
        if label_class != void:
            ious.append(both / either)
    return 100 * math.fsum(ious) / len(ious)


def _edge_mae_x10(image: Tensor, target: Tensor, *, is_near: bool) -> float:
    """Edges and the distance from them, one pixel at a time; the target is depth."""
    errors: list[float] = []
    for error_CHW, target_CHW in zip(np.abs(_error(image, target)), target.numpy(), strict=True):
        _, height, width = target_CHW.shape
        edge = np.zeros((height, width), bool)
        for row in range(height):
            for column in range(width):
                for other in ((row + 1, column), (row, column + 1)):
                    if other[0] < height and other[1] < width:
                        step = np.abs(target_CHW[:, row, column] - target_CHW[(slice(None), *other)]).max()
                        if step > np.float32(0.02):
                            edge[row, column] = edge[other] = True
        reach = max(1, round(0.02 * math.sqrt(height**2 + width**2)))
        close = binary_dilation(edge, np.ones((3, 3)), iterations=reach)
        errors += error_CHW[:, close if is_near else ~close].flatten().tolist()
    return 10 * math.fsum(errors) / len(errors)


def _error(image: Tensor, target: Tensor) -> np.ndarray:
    return image.numpy().astype(np.float64) - target.numpy().astype(np.float64)


def _mae_x10(image: Tensor, target: Tensor) -> float:
    return float(10 * np.abs(_error(image, target)).mean())


def _mse_x10(image: Tensor, target: Tensor) -> float:
    return float(10 * (_error(image, target) ** 2).mean())


def _rmse_x10(image: Tensor, target: Tensor) -> float:
    return float(10 * np.sqrt((_error(image, target) ** 2).mean()))


def _psnr_db(image: Tensor, target: Tensor) -> float:
    """The formula, 20 log10(range) - 10 log10(MSE) of each image, averaged."""
    squares = [(error**2).mean() for error in _error(image, target)]
    return math.fsum(20 * math.log10(2) - 10 * math.log10(square) for square in squares) / len(squares)


def _ssim(image: Tensor, target: Tensor) -> float:
    """With SciPy's Gaussian filter, as scikit-image does; `mirror` reflects without repeating the border."""

    def blurred(plane_HW: np.ndarray) -> np.ndarray:
        return gaussian_filter(plane_HW, sigma=1.5, radius=5, mode="mirror")

    maps = []
    for x, y in zip(image.double().flatten(0, 1).numpy(), target.double().flatten(0, 1).numpy(), strict=True):
        c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
        mean_x, mean_y = blurred(x), blurred(y)
        var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
        cov = blurred(x * y) - mean_x * mean_y
        numerator = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
        maps.append(numerator / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)))
    return float(np.mean(maps))


def _fid(fake: Tensor, real: Tensor, *_: int) -> float:
    """With SciPy's root of the product of the covariances."""
    sets = fake.numpy(), real.numpy()
    covariances = [np.cov(features, rowvar=False) for features in sets]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    mean = float(np.sum((sets[0].mean(0) - sets[1].mean(0)) ** 2))
    return float(mean + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.trace(root).real)


def _kid_x100(fake: Tensor, real: Tensor, count: int, size: int, seed: int) -> float:
    """One pair of samples at a time."""
    draws = np.random.RandomState(seed)
    total = 0.0
    for _ in range(count):
        rows = [draws.choice(len(features), size, replace=False) for features in (fake, real)]
        total += mmd2_by_hand(fake[rows[0]].tolist(), real[rows[1]].tolist())
    return 100 * total / count


def mmd2_by_hand(fake: list[list[float]], real: list[list[float]]) -> float:
    """Unbiased MMD^2 of the cubic kernel, one pair of samples at a time."""

    def kernel(x: list[float], y: list[float]) -> float:
        return (math.fsum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    n = len(fake)
    within = math.fsum(kernel(s[i], s[j]) for s in (fake, real) for i in range(n) for j in range(n) if i != j)
    across = math.fsum(kernel(x, y) for x in fake for y in real)
    return within / (n * (n - 1)) - 2 * across / n**2


REFERENCES = {
    # Ratios of equal integers in float64, summed in another order.
    "miou_pct": Reference(_miou_pct, 1e-12),
    "fwiou_pct": Reference(_fwiou_pct, 1e-12),
    "pixel_acc_pct": Reference(_pixel_acc_pct, 1e-12),
    "mean_acc_pct": Reference(_mean_acc_pct, 1e-12),
    "thin_iou_pct": Reference(_thin_iou_pct, 1e-12),
    "boundary_iou_pct": Reference(_boundary_iou_pct, 1e-12),
    # Sums of some thousand float64 terms in another order.
    "mae_x10": Reference(_mae_x10, 1e-12),
    "mse_x10": Reference(_mse_x10, 1e-12),
    "rmse_x10": Reference(_rmse_x10, 1e-12),
    "mae_near_x10": Reference(partial(_edge_mae_x10, is_near=True), 1e-12),
    "mae_away_x10": Reference(partial(_edge_mae_x10, is_near=False), 1e-12),
    # The logarithms of the range and of the base are in float32, as in torchmetrics.
    "psnr_db": Reference(_psnr_db, 1e-7),
    # Variances are differences of means of squares, rounded to 1e-16, next to C2 = 0.0036.
    "ssim": Reference(_ssim, 1e-12),
    # SciPy roots a singular product, as images are fewer than features: half the digits of float64 are left.
    "fid": Reference(_fid, 1e-6),
    # Kernels of some ten and their sums, with cancellation down to a thousandth.
    "kid_x100": Reference(_kid_x100, 1e-9),
    # Quotients by a power of ten.
    "recovered_pct": Reference(_recovered_pct, 1e-12),
    "shared_small_pct": Reference(_shared_small_pct, 1e-12),
    "theorem_excess_pct": Reference(_theorem_excess_pct, 1e-9),
    "exchanged_pct": Reference(lambda overall, stream: overall[stream] * 100, 1e-12),
    "params_m": Reference(lambda counts: counts["total"] * 1e-6, 1e-12),
    "fusion_params_m": Reference(lambda counts: counts["fusion"] * 1e-6, 1e-12),
    "gflops": Reference(lambda counts: counts["flops"] * 1e-9, 1e-12),
}
