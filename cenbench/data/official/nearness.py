"""Depth stored in another unit than it is read in makes a whole dataset too near: found before anything is prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from cenbench.errors import UserError

NEAREST_DATASET_M = 3.0
"""Some room of every dataset of rooms is deeper. Read as 1/5000 m, ten metres in millimetres would be two."""
_PERCENTILE = 95
"""Of the measured pixels of an image: a few wrong pixels do not make it deep."""


def check_unit(raw: Path, names: Iterable[str], depth_of: Callable[[str], np.ndarray], units_per_metre: float) -> None:
    """Raise `UserError` if every image is nearer than `NEAREST_DATASET_M`; stops reading at the first that is not.

    `depth_of` gives the stored depth (H, W) of a name, 0 where nothing was measured.
    """
    farthest_m, images = 0.0, 0
    for name in names:
        try:
            depth_HW = depth_of(name)
        except UserError:  # reported, with all others, when the dataset is read
            continue
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
            fix="state the unit in the preset, for millimetres dataset: {depth_units_per_metre: 1000}; if the scenes "
            f"really are that near, dataset: {{depth_units_per_metre: {units_per_metre:g}}}",
        )
