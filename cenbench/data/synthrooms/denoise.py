"""Remove the noise of few light paths per pixel: light is smoothed within a surface, never across surfaces."""

from __future__ import annotations

import numpy as np

_STEPS_PX = (1, 2, 4)
_SMALLEST_ALBEDO = 0.02
_LOG_TOLERANCE = 0.9
"""Larger differences of log light, such as the edge of a shadow, are kept."""


def denoise(
    rgb_HWC: np.ndarray, albedo_HWC: np.ndarray, normal_HWC: np.ndarray, part_HW: np.ndarray, smooth_HW: np.ndarray
) -> np.ndarray:
    """Edge-avoiding a-trous smoothing of rgb / albedo within a part (Dammertz et al., HPG 2010).

    `albedo_HWC` is that of the pixel's centre, so textures stay sharp. Pixels where `smooth_HW` is false
    (mirrors, lights) are returned unchanged.
    """
    base_HWC = np.maximum(albedo_HWC, _SMALLEST_ALBEDO)
    light_HWC = rgb_HWC / base_HWC
    key_HW = np.where(smooth_HW, part_HW, -1 - np.arange(part_HW.size).reshape(part_HW.shape))
    for step in _STEPS_PX:
        light_HWC = _pass(light_HWC, normal_HWC, key_HW, step)
    result: np.ndarray = np.where(smooth_HW[..., None], light_HWC * base_HWC, rgb_HWC).astype(np.float32)
    return result


def _pass(light_HWC: np.ndarray, normal_HWC: np.ndarray, key_HW: np.ndarray, step: int) -> np.ndarray:
    log_HW = np.log(light_HWC.mean(-1) + 1e-3)
    log_HW = _median(log_HW) if step == 1 else log_HW
    planes = np.concatenate([light_HWC, normal_HWC, log_HW[..., None]], axis=-1)
    padded = np.pad(planes, ((step, step), (step, step), (0, 0)))
    keys = np.pad(key_HW, step, constant_values=-1)
    height, width = key_HW.shape
    total, weights = np.zeros_like(light_HWC), np.zeros((height, width), np.float32)
    for row in range(3):
        for column in range(3):
            window = np.s_[row * step : row * step + height, column * step : column * step + width]
            other = padded[window]
            kernel = (2.0 if row == 1 else 1.0) * (2.0 if column == 1 else 1.0)
            same = (keys[window] == key_HW) * kernel
            facing = np.clip(np.sum(other[..., 3:6] * normal_HWC, axis=-1), 0, 1) ** 16
            near = np.exp(-(((other[..., 6] - log_HW) / _LOG_TOLERANCE) ** 2))
            weight = (same * facing * near).astype(np.float32)
            total += weight[..., None] * other[..., :3]
            weights += weight
    result: np.ndarray = np.where(weights[..., None] > 0, total / np.maximum(weights[..., None], 1e-9), light_HWC)
    return result


def _median(values_HW: np.ndarray) -> np.ndarray:
    """Median over 3 x 3 pixels."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values_HW, 1, mode="edge"), (3, 3))
    result: np.ndarray = np.median(windows, axis=(2, 3))
    return result
