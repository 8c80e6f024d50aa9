"""Cityscapes' label ids and the 19 classes that are trained and scored.

Ids and classes are those of labels.py in github.com/mcordts/cityscapesScripts; the evaluation server expects ids.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cenbench.data.manifest import VOID
from cenbench.errors import UserError

IDS = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
"""Class -> its id in gtFine's labelIds images; the number of a class is its position in this table."""
CLASSES = tuple(IDS)
LAST_ID = 33


def to_classes(ids_HW: np.ndarray, where: Path) -> np.ndarray:
    """u8 ids 0 to 33 -> u8 classes 0 to 18; ids that are not scored (ego vehicle, parking, ...) become void."""
    if int(ids_HW.max(initial=0)) > LAST_ID:
        wrong = np.unique(ids_HW[ids_HW > LAST_ID])
        raise UserError(
            "labels out of range", where=where, found=", ".join(map(str, wrong[:5])), expected=f"ids 0 to {LAST_ID}",
            fix="use the gtFine_labelIds images, not labelTrainIds or color",
        )  # fmt: skip
    table = np.full(LAST_ID + 1, VOID, np.uint8)
    table[list(IDS.values())] = np.arange(len(IDS))
    classes_HW: np.ndarray = table[ids_HW]
    return classes_HW


def to_ids(classes_HW: np.ndarray) -> np.ndarray:
    """Classes 0 to 18 -> u8 ids, as the evaluation server and cityscapesScripts expect predictions."""
    ids_HW: np.ndarray = np.array(list(IDS.values()), np.uint8)[classes_HW]
    return ids_HW
