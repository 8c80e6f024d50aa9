"""Simulate a depth camera (holes, shadows, coarse steps) and a colour camera (dark and overexposed pictures)."""

from __future__ import annotations

import numpy as np

from cenbench.data.modality import UNITS_PER_METRE
from cenbench.data.synthrooms.materials import smooth_noise
from cenbench.data.synthrooms.render import Buffers, focal_px
from cenbench.data.synthrooms.room import Room

NEAREST_M, FARTHEST_M = 0.4, 9.0
"""The sensor reports nothing outside this range."""
BASELINE_M = 0.075
"""Distance between projector and camera of a structured-light sensor."""
DISPARITY_STEPS_PER_M = 350.0
"""k of the disparity k/z in sensor steps: depth steps are z^2/k, 3 mm at 1 m and 46 mm at 4 m."""
THIN_DROPOUT, DARK_DROPOUT, DARK_ALBEDO = 0.65, 0.5, 0.05


def expose(rgb_HWC: np.ndarray, gain: float, rng: np.random.Generator | None) -> np.ndarray:
    """Linear radiance -> sRGB u8 (H, W, 3), with automatic exposure times `gain`.

    Photon and read noise are drawn from `rng`; None gives a picture without noise.
    """
    luminance = rgb_HWC @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    level = float(np.exp(np.mean(np.log(luminance + 1e-3))))
    exposed = rgb_HWC * (0.2 * gain / level)
    if rng is not None:
        exposed = exposed + rng.standard_normal(exposed.shape) * np.sqrt(2e-4 * exposed + 4e-6)
    exposed = np.clip(exposed, 0, 1)
    encoded = np.where(exposed <= 0.0031308, 12.92 * exposed, 1.055 * exposed ** (1 / 2.4) - 0.055)
    result: np.ndarray = np.rint(encoded * 255).astype(np.uint8)
    return result


def measure_depth(room: Room, buffers: Buffers, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(depth_euclidean, depth_zbuffer), u16 (H, W) in 1/512 m, 0 where the sensor sees nothing."""
    planar_HW = buffers.depth_HW * buffers.forward_HW
    safe_HW = np.maximum(planar_HW, 0.05)
    noise_HW = 0.5 * rng.standard_normal(planar_HW.shape)
    steps_HW = np.maximum(np.rint(DISPARITY_STEPS_PER_M / safe_HW + noise_HW), 1)
    measured_HW = DISPARITY_STEPS_PER_M / steps_HW
    seen_HW = (planar_HW > NEAREST_M) & (planar_HW < FARTHEST_M)
    seen_HW &= ~_shadow(safe_HW, focal_px(room, planar_HW.shape)) & ~_dropped(room, buffers, rng)
    distance_HW = measured_HW / buffers.forward_HW
    return _units(distance_HW, seen_HW), _units(measured_HW, seen_HW)


def _units(metres_HW: np.ndarray, seen_HW: np.ndarray) -> np.ndarray:
    stored = np.clip(np.rint(metres_HW * UNITS_PER_METRE), 1, 65535)
    return np.where(seen_HW, stored, 0).astype(np.uint16)


def _dropped(room: Room, buffers: Buffers, rng: np.random.Generator) -> np.ndarray:
    """Mask of pixels with too little returning light (specular, thin, dark), in patches rather than single pixels."""
    specular = np.array([part.material.dropout for part in room.parts])
    thin = np.array([THIN_DROPOUT * part.thin for part in room.parts])
    share_HW = np.maximum(specular, thin)[buffers.part_HW]
    share_HW = np.maximum(share_HW, np.where(buffers.albedo_HW < DARK_ALBEDO, DARK_DROPOUT, 0.0))
    shape = buffers.part_HW.shape
    patches_HW = 0.6 * smooth_noise(rng, shape, max(shape) / 12) + 0.4 * rng.random(shape)
    # Ranks make the noise uniform, so that a material loses its share of pixels.
    ranks_HW = patches_HW.ravel().argsort().argsort().reshape(shape) / patches_HW.size
    dropped: np.ndarray = ranks_HW < share_HW
    return dropped


def _shadow(planar_HW: np.ndarray, focal: float) -> np.ndarray:
    """Mask of pixels that the projector cannot reach: a band at the left of every nearer object."""
    columns = np.arange(planar_HW.shape[1])[None, :]
    projected_HW = columns - focal * BASELINE_M / planar_HW
    nearest_right = np.minimum.accumulate(projected_HW[:, ::-1], axis=1)[:, ::-1]
    shadow: np.ndarray = nearest_right < projected_HW - 0.3
    return shadow
