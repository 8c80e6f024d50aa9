"""Pictures of prepared arrays: one modality of one scene, or a sheet of many."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from cenbench.data.manifest import VOID
from cenbench.data.modality import UNITS_PER_METRE
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.files import atomic_path

_NEAR_M, _FAR_M = 200 / 512, 4000 / 512
"""Depth shown as black and as white, on a log scale. White is farther in a picture that reaches farther: a street."""
_FAR_PERCENTILE = 98
SIDE_PX = 512
"""Largest side of a picture on a sheet; a sheet of full-size street scenes would be too large to open."""
_GRADIENT_TOP = 10_000.0
_GUTTER_PX = 2


def label_colours(labels_HW: np.ndarray) -> np.ndarray:
    """Labels -> u8 (H, W, 3) by a fixed palette; void is black."""
    colours: np.ndarray = _palette()[labels_HW.astype(np.uint8)]
    return colours


def to_picture(array: np.ndarray, modality: str, units_per_metre: float = UNITS_PER_METRE) -> np.ndarray:
    """Stored (H, W) or (H, W, 3) values -> u8 (H, W, 3). Missing depth is dark red."""
    if modality == "semantic":
        return label_colours(array)
    if modality.startswith("depth"):
        metres = np.maximum(array.astype(np.float64), 1) / units_per_metre
        measured = metres[array > 0]
        far_m = max(_FAR_M, np.percentile(measured, _FAR_PERCENTILE)) if measured.size else _FAR_M
        share = np.clip(np.log(metres / _NEAR_M) / np.log(far_m / _NEAR_M), 0, 1)
        gray = _gray(255 * share)
        gray[array == 0] = (110, 0, 0)
        return gray
    if array.dtype == np.uint16:
        return _gray(255 * np.clip(array / _GRADIENT_TOP, 0, 1))
    return array.copy() if array.ndim == 3 else _gray(array)


def prepared_picture(prepared: Prepared, modality: str, index: int) -> np.ndarray:
    """One modality of one scene as a u8 picture (H, W, 3)."""
    units = prepared.manifest.modalities[modality].units_per_metre
    return to_picture(prepared.array(modality)[index], modality, units)


def small(picture: np.ndarray, modality: str) -> np.ndarray:
    """The picture with sides of at most `SIDE_PX`; labels and depth are not blended."""
    height, width = picture.shape[:2]
    scale = SIDE_PX / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    sharp = modality == "semantic" or modality.startswith("depth")
    return np.asarray(
        Image.fromarray(picture).resize(size, Image.Resampling.NEAREST if sharp else Image.Resampling.BILINEAR)
    )


def contact_sheet(prepared: Prepared, indices: Iterable[int], path: Path) -> None:
    """Write a PNG with one row per scene and one column per modality, in the order of the manifest."""
    scenes = prepared.manifest.spec.scenes
    rows = []
    for index in indices:
        if not 0 <= index < scenes:
            raise UserError(
                f"dataset {prepared.folder.name} has no scene {index}",
                where=prepared.folder,
                found=index,
                expected=f"0 to {scenes - 1}",
            )
        pictures = [small(prepared_picture(prepared, name, index), name) for name in prepared.manifest.modalities]
        rows.append(np.concatenate([np.pad(picture, _GUTTER) for picture in pictures], axis=1))
    if not rows:
        raise UserError("a contact sheet needs at least one scene", where=path)
    with atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary, format="PNG")


_GUTTER = ((0, _GUTTER_PX), (0, _GUTTER_PX), (0, 0))


def _gray(values_HW: np.ndarray) -> np.ndarray:
    return np.repeat(np.rint(values_HW).astype(np.uint8)[..., None], 3, axis=-1)


def _palette() -> np.ndarray:
    """(256, 3) u8: hues a golden angle apart in three tones, so that successive labels differ; void is black."""
    palette = np.zeros((256, 3), np.uint8)
    for label in range(VOID):
        rgb = colorsys.hsv_to_rgb(label * 0.618034 % 1, (0.55, 0.85, 0.35)[label % 3], (0.95, 0.75, 0.6)[label % 3])
        palette[label] = [round(255 * channel) for channel in rgb]
    return palette
