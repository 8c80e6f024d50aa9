"""The arrays that a prepared dataset stores, and which of them the words of a task stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

_RGBD = ("rgb", "depth_zbuffer", "semantic")
_TRANSLATED = ("rgb", "depth_euclidean", "depth_zbuffer", "normal", "shade", "texture", "edge")
STORED: Mapping[str, tuple[str, ...]] = {
    "synthrooms": (*_TRANSLATED, "semantic"),
    "cityscapes": _RGBD,
    "nyudv2": _RGBD,
    "sunrgbd": _RGBD,
    "taskonomy": _TRANSLATED,
}
"""Dataset -> those of its arrays that tasks can use; a dataset that is not here is not checked before it is prepared.

Of Taskonomy, a raw folder may have fewer.
"""


def stored_name(token: str, kind: Literal["segmentation", "translation"]) -> str:
    """Array that a task's token stands for: `depth` is planar depth for segmentation, distance for translation."""
    if token == "depth":
        return "depth_zbuffer" if kind == "segmentation" else "depth_euclidean"
    return token
