"""Depth stored otherwise than it is read makes a whole dataset too near or too far: found before it is prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from cenbench.errors import UserError

NEAREST_DATASET_M = 3.0
"""Some room of every dataset of rooms is deeper. Read as 1/5000 m, ten metres in millimetres would be two."""
_PERCENTILE = 95
"""Of the measured pixels of an image: a few wrong pixels do not make it deep."""
FARTHEST_M = 11.0
"""The sensors of NYUDv2 and SUN RGB-D measure up to about 10 m."""
_MOST_BEYOND = 0.01
"""Share of the measured pixels of an image that may be farther: broken ones."""


def check_unit(
    raw: Path, names: Iterable[str], depth_of: Callable[[str], np.ndarray], units_per_metre: float, *, fix: str
) -> None:
    """Raise `UserError` if every image is nearer than `NEAREST_DATASET_M`, or none has any depth; stops reading at the
    first that is not.

    `depth_of` gives the stored depth (H, W) of a name, 0 where nothing was measured.
    """
    farthest_m, images, read = 0.0, 0, 0
    for name in names:
        try:
            depth_HW = depth_of(name)
        except UserError:  # reported, with all others, when the dataset is read
            continue
        read += 1
        measured = depth_HW[depth_HW > 0]
        if measured.size:
            images += 1
            farthest_m = max(farthest_m, float(np.percentile(measured, _PERCENTILE)) / units_per_metre)
        if farthest_m >= NEAREST_DATASET_M:
            return
    if images:
        raise UserError(
            f"the depth of all {images} images is under {NEAREST_DATASET_M:g} m: it is stored in another unit",
            where=raw,
            key="dataset.depth_units_per_metre",
            found=f"at most {farthest_m:.2f} m, with {units_per_metre:g} units per metre",
            expected=f"some image deeper than {NEAREST_DATASET_M:g} m (95 % of its pixels nearer)",
            fix=fix,
        )
    if read:
        raise UserError(
            "no image has any depth", where=raw, found=f"0 (missing) in every pixel of {read} images",
            expected="measured depth", fix="get the depth of this dataset again",
        )  # fmt: skip


def check_farthest(depth_HW: np.ndarray, units_per_metre: float, path: Path) -> None:
    """Raise `UserError` if more than a few pixels are farther than a sensor for rooms measures.

    So they are where depth is in a smaller unit, and where a large value such as 65535 stands for missing depth.
    """
    beyond = int((depth_HW > FARTHEST_M * units_per_metre).sum())
    if beyond > _MOST_BEYOND * max(1, int((depth_HW > 0).sum())):
        raise UserError(
            f"{path.name} has depth beyond what its sensor measures",
            where=path,
            key="dataset.depth_units_per_metre",
            found=f"{beyond} pixels over {FARTHEST_M:g} m, up to {depth_HW.max() / units_per_metre:.2f} m",
            expected="0 where nothing was measured, at most 10 m elsewhere",
            fix="state the unit in the preset, for a tenth of a millimetre dataset: {depth_units_per_metre: 10000}; "
            "if a large value such as 65535 stands for missing depth, store 0 in its place",
        )


def check_rotation(raw: Path, names: Iterable[str], depth_of: Callable[[str], np.ndarray]) -> None:
    """Raise `UserError` if most pixels of every image would be over 8.19 m away: millimetres whose bits are not rotated
    as SUN RGB-D publishes them.

    Rotated left by three bits, a distance below 2**13 mm ends in three zeros; otherwise only one in eight does. Stops
    reading at the first image with depth as published.
    """
    images = 0
    for name in names:
        try:
            depth_HW = depth_of(name)
        except UserError:  # reported, with all others, when the dataset is read
            continue
        measured = depth_HW[depth_HW > 0]
        if measured.size:
            images += 1
            if (measured & 7 == 0).mean() >= 0.5:
                return
    if images:
        raise UserError(
            f"the depth of all {images} images is stored in another way than SUN RGB-D publishes it",
            where=raw,
            found="most pixels of every image would be over 8.19 m away",
            expected="millimetres whose 16 bits are rotated left by three, as in SUNRGBD.zip",
            fix="get the depth from SUNRGBD.zip again: another copy, perhaps in plain millimetres, cannot be read",
        )
