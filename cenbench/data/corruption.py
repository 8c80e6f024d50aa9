"""Corruptions of stored images: what a worse sensor, or another light, would have recorded. Pure functions.

Each function gets one stored image and a strength, and returns an image of the same type. Random numbers do not depend
on the strength, so a stronger corruption is the same one, only more of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from cenbench.data.manifest import ModalityEntry

PATCHES = 12
"""Holes are patches of about a twelfth of the image's longer side, as a depth camera leaves them."""


def depth_noise(
    stored_HW: np.ndarray, strength: float, entry: ModalityEntry, generator: np.random.Generator
) -> np.ndarray:
    """Depth times 1 + `strength` times a normal draw per pixel. Missing depth stays missing, and none goes missing."""
    noise_HW = generator.standard_normal(stored_HW.shape)
    nearest, farthest = max(entry.range[0], 1), entry.range[1]
    noisy_HW = np.clip(np.rint(stored_HW * (1 + strength * noise_HW)), nearest, farthest)
    return np.where(stored_HW == _missing(entry), stored_HW, noisy_HW).astype(stored_HW.dtype)


def depth_holes(
    stored_HW: np.ndarray, strength: float, entry: ModalityEntry, generator: np.random.Generator
) -> np.ndarray:
    """A share `strength` of the pixels, in patches, set to missing; some may have been missing before."""
    rank_HW = _patches(stored_HW.shape, generator).ravel().argsort(kind="stable").argsort(kind="stable")
    hole_HW = rank_HW.reshape(stored_HW.shape) < round(strength * stored_HW.size)
    return np.where(hole_HW, _missing(entry), stored_HW).astype(stored_HW.dtype)


def darkening(
    stored_HWC: np.ndarray, strength: float, entry: ModalityEntry, generator: np.random.Generator
) -> np.ndarray:
    """The picture taken with `strength` stops less light: linear intensities divided by 2 to the power of it."""
    return _exposed(stored_HWC, 2.0**-strength)


def overexposure(
    stored_HWC: np.ndarray, strength: float, entry: ModalityEntry, generator: np.random.Generator
) -> np.ndarray:
    """The picture taken with `strength` stops more light; intensities above white become white."""
    return _exposed(stored_HWC, 2.0**strength)


Corruption = Callable[[np.ndarray, float, ModalityEntry, np.random.Generator], np.ndarray]
CORRUPTIONS: Mapping[str, Corruption] = {
    "depth_noise": depth_noise,
    "depth_holes": depth_holes,
    "darkening": darkening,
    "overexposure": overexposure,
}


def corruption_generator(kind: str, seed: int, scene: int) -> np.random.Generator:
    """Random numbers for one scene: equal for every network and strength, different between kinds, seeds and scenes."""
    return np.random.default_rng([seed, list(CORRUPTIONS).index(kind), scene])


def _missing(entry: ModalityEntry) -> int:
    return 0 if entry.missing is None else entry.missing


def _patches(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """A smooth random field: one normal draw per lattice point, interpolated linearly."""
    height, width = shape
    spacing = max(2.0, max(shape) / PATCHES)
    rows, columns = (int(np.ceil(side / spacing)) + 1 for side in shape)
    lattice = generator.standard_normal((rows, columns))
    y, x = np.arange(height) / spacing, np.arange(width) / spacing
    along_x = np.stack([np.interp(x, np.arange(columns), line) for line in lattice])
    field: np.ndarray = np.stack([np.interp(y, np.arange(rows), line) for line in along_x.T], axis=1)
    return field


def _exposed(stored_HWC: np.ndarray, factor: float) -> np.ndarray:
    """8-bit sRGB (IEC 61966-2-1) with linear intensities times `factor`: one value for each of the 256 stored ones."""
    encoded = np.arange(256) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    lit = np.minimum(linear * factor, 1)
    shown = np.where(lit <= 0.0031308, 12.92 * lit, 1.055 * lit ** (1 / 2.4) - 0.055)
    exposed: np.ndarray = np.rint(255 * shown).astype(np.uint8)[stored_HWC]
    return exposed
