"""How predictions are stored as files: each dataset's own names, label values and size. Torch-free."""

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
class PredictionFiles:
    """How predictions are stored: one 8-bit PNG per scene."""

    name: str
    """The file's name; `{scene}` is what the dataset calls the scene."""
    encode: Callable[[np.ndarray], np.ndarray]
    """u8 class numbers (H, W), or a picture (H, W, 3) -> the u8 values that are stored."""
    values: str
    """The meaning of a stored value, in words."""


def label_files(dataset: str) -> PredictionFiles:
    """The format a dataset's own evaluation expects of labels; plain class numbers where it has none."""
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


def _as_it_is(picture: np.ndarray) -> np.ndarray:
    return picture


PICTURES = PredictionFiles("{scene}.png", _as_it_is, "0..255 for -1..1")
_PLAIN = PredictionFiles("{scene}.png", _as_it_is, "class number, from 0, as in the manifest")
_FORMATS = {
    "nyudv2": PredictionFiles(
        "{scene}.png", _from_one, "class number + 1: 1 to 40, as 0 is unlabelled in NYUDv2's labels"
    ),
    "sunrgbd": PredictionFiles(
        "{scene}.png", _from_one, "class number + 1: 1 to 37, as 0 is void in the dataset's labels"
    ),
    "cityscapes": PredictionFiles(
        "{scene}_gtFine_labelIds.png", _cityscapes,
        "label id of cityscapesScripts (not train id), 2048 x 1024 by the nearest pixel",
    ),
}  # fmt: skip
