"""What predicted labels look like as files: each dataset's own naming, numbers and size. Pure, no torch."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cenbench.data.official.cityscapes_labels import to_ids
from cenbench.data.official.images import resize_nearest

_CITYSCAPES_PX = 1024, 2048


@dataclass(frozen=True)
class LabelFiles:
    """How a dataset's evaluation wants predicted labels: one 8-bit PNG of one channel a scene."""

    name: str
    """The file's name; `{scene}` is what the dataset calls the scene."""
    encode: Callable[[np.ndarray], np.ndarray]
    """u8 (H, W) class numbers -> the u8 values that are stored."""
    says: str
    """What a stored value means, in words."""


def label_files(dataset: str) -> LabelFiles:
    """The format of a dataset; class numbers as they are for one that has none of its own."""
    return _FORMATS.get(dataset, _PLAIN)


def png(image: np.ndarray) -> bytes:
    """PNG of u8 (H, W) or (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def _from_one(classes_HW: np.ndarray) -> np.ndarray:
    return (classes_HW + 1).astype(np.uint8)


def _cityscapes(classes_HW: np.ndarray) -> np.ndarray:
    return resize_nearest(to_ids(classes_HW), _CITYSCAPES_PX)


_PLAIN = LabelFiles("{scene}.png", lambda classes_HW: classes_HW, "class number, from 0, as in the manifest")
_FORMATS = {
    "nyudv2": LabelFiles("{scene}.png", _from_one, "class number + 1: 1 to 40, as 0 is unlabelled in NYUDv2's labels"),
    "sunrgbd": LabelFiles("{scene}.png", _from_one, "class number + 1: 1 to 37, as 0 is void in the dataset's labels"),
    "cityscapes": LabelFiles(
        "{scene}_gtFine_labelIds.png", _cityscapes,
        "label id of cityscapesScripts (not train id), 2048 x 1024 by the nearest pixel",
    ),
}  # fmt: skip
