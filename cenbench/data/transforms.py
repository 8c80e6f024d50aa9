"""From stored values to network inputs, and the windows of training crops. Pure functions of arrays and a draw.

A draw is four uniform numbers in [0, 1) per sample: scale, mirror, top, left. All modalities and the label share it.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cenbench.data.manifest import ModalityEntry
from cenbench.data.modality import UNITS_PER_METRE
from cenbench.matrix.stored_arrays import stored_name

Kind = Literal["segmentation", "translation"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
RELEASED_UNITS_PER_METRE = 5000.0
"""The released segmentation code stores depth in 1/5000 m (paper.md#segmentation-images)."""
BLACK = -1.0
"""A translation image's 0 after normalisation, which crops show past the edge.

Source: paper.md#translation-images.
"""
LOG_DEPTH_SPAN = 11.1
"""log(1 + 65535) = 11.09: the released code divides log depth, in 1/512 m, by this (paper.md#translation-images)."""

WELL_EXPOSED = "rgb_well_exposed"
"""The picture of a scene without the faults of a camera's exposure, which `rgb` has."""

Geometry = Literal["nearest-exact", "bilinear"]


@dataclass(frozen=True)
class Window:
    """Window of a sample's crop: size the image is scaled to, top left corner, mirrored or not. Pixels."""

    height: int
    width: int
    top: int
    left: int
    mirror: bool


def stored_target(token: str, kind: Kind, stored: Container[str]) -> str:
    """Array of a task's target: an rgb picture to generate is the well-exposed one, if the dataset has both."""
    if token == "rgb" and WELL_EXPOSED in stored:
        return WELL_EXPOSED
    return stored_name(token, kind)


def normalise(raw: np.ndarray | Tensor, modality: str, entry: ModalityEntry, kind: Kind) -> Tensor:
    """(B,H,W) or (B,H,W,3) stored values -> (B,3,H,W) float32; one channel is replicated to three.

    A tensor stays on its device. Segmentation: rgb by ImageNet's mean and deviation, depth in metres. Everything else
    is scaled to [-1, 1]
    (paper.md#translation-images).
    """
    values = raw.to(torch.float32) if isinstance(raw, Tensor) else torch.from_numpy(raw.astype(np.float32))
    values_BCHW = values.permute(0, 3, 1, 2) if values.ndim == 4 else values.unsqueeze(1)
    is_depth = modality.startswith("depth")
    if kind == "segmentation" and modality == "rgb":
        mean, std = (_channels(statistic, values.device) for statistic in (IMAGENET_MEAN, IMAGENET_STD))
        scaled_BCHW = (values_BCHW / 255).sub_(mean).div_(std)
    elif kind == "segmentation" and is_depth:
        scaled_BCHW = values_BCHW / entry.units_per_metre
    elif is_depth:
        taskonomy_BCHW = values_BCHW * (UNITS_PER_METRE / entry.units_per_metre)
        scaled_BCHW = torch.log1p(taskonomy_BCHW) / LOG_DEPTH_SPAN * 2 - 1
    else:
        low, high = entry.range
        scaled_BCHW = (values_BCHW - low).div_(high - low).mul_(2).sub_(1).clamp_(-1, 1)
    return scaled_BCHW.expand(-1, 3, -1, -1)


@cache
def _channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    """(C, 1, 1) on the device, cached: the transfer synchronises with the device."""
    return torch.tensor(values, device=device).view(-1, 1, 1)


def interpolation(modality: str) -> Geometry:
    """Depth and labels are never blended: a value between two surfaces, or a surface and a hole, would be wrong."""
    return "nearest-exact" if modality.startswith("depth") or modality == "semantic" else "bilinear"


def padding(modality: str, kind: Kind, depth_as_rgb: bool = False) -> tuple[float, ...]:
    """Values of a normalised image past its edge: one for all channels, or one per channel.

    Segmentation: zero, which is ImageNet's mean colour, and missing depth. `depth_as_rgb`: the released code pads depth
    with that colour's bytes (123.675, 116.28, 103.53) and divides by 5000 only then (paper.md#segmentation-images).
    Translation: black.
    """
    if kind == "translation":
        return (BLACK,)
    if depth_as_rgb and modality.startswith("depth"):
        return tuple(255 * mean / RELEASED_UNITS_PER_METRE for mean in IMAGENET_MEAN)
    return (0.0,)


def segmentation_window(
    draw: np.ndarray,
    shape_px: tuple[int, int],
    crop_px: int,
    scales: tuple[float, float],
    mirror: bool,
    min_side_px: int | None = None,
) -> Window:
    """Scale by U(scales), mirror with probability 1/2, crop anywhere (inside the padding where smaller).

    A scale that would make the shorter side less than `min_side_px` is raised to it, beyond `scales` if necessary.
    """
    scale = scales[0] + float(draw[0]) * (scales[1] - scales[0])
    if min_side_px is not None:
        scale = max(scale, min_side_px / min(shape_px))
    height, width = (max(1, round(side * scale)) for side in shape_px)
    return _window(draw, height, width, crop_px, mirror)


def translation_window(
    draw: np.ndarray, shape_px: tuple[int, int], resize_px: int, crop_px: int, mirror: bool, past_edge: bool = False
) -> Window:
    """Resize the shorter side to `resize_px` keeping proportions, mirror with probability 1/2, crop anywhere.

    `past_edge`: a crop may start one pixel too far and include a black row or column, as in the released code, whose
    `randint(0, 286 - 256 + 1)` counts both ends (paper.md#translation-images).
    """
    scale = resize_px / min(shape_px)
    height, width = (round(side * scale) for side in shape_px)
    return _window(draw, height, width, crop_px, mirror, too_far=int(past_edge))


def _window(draw: np.ndarray, height: int, width: int, crop_px: int, mirror: bool, too_far: int = 0) -> Window:
    return Window(
        height=height,
        width=width,
        top=math.floor(float(draw[2]) * (max(height, crop_px) - crop_px + 1 + too_far)),
        left=math.floor(float(draw[3]) * (max(width, crop_px) - crop_px + 1 + too_far)),
        mirror=mirror and bool(draw[1] < 0.5),
    )


def resized(image_BCHW: Tensor, size: tuple[int, int], modality: str) -> Tensor:
    """Scaled to `size` (height, width); returned unchanged if it has that size."""
    if image_BCHW.shape[-2:] == size:
        return image_BCHW
    mode = interpolation(modality)
    align = False if mode == "bilinear" else None
    return functional.interpolate(image_BCHW, size=size, mode=mode, align_corners=align)


def mirrored(image: Tensor, modality: str) -> Tensor:
    """(..., C, H, W) mirrored left to right. A normal map's x is negated: a wall that faced left now faces right."""
    turned = image.flip(-1)
    if modality == "normal":
        turned = turned * torch.tensor([-1.0, 1.0, 1.0], device=image.device).view(3, 1, 1)
    return turned
