"""From stored values to network inputs, and the random geometry of training. Pure functions of arrays and a draw.

A draw is four numbers of [0, 1) a sample: scale, mirror, top, left. Every modality and the label take the same one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cenbench.data.manifest import ModalityEntry

Kind = Literal["segmentation", "translation"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
UNITS_PER_METRE = 512.0
"""Stored depth is in 1/512 m, as in Taskonomy (facts 5)."""
LOG_DEPTH_SPAN = 11.1
"""log(1 + 65535) = 11.09: what the released code divides log depth by (facts 5)."""

Geometry = Literal["nearest-exact", "bilinear"]


@dataclass(frozen=True)
class Window:
    """Where a sample's crop lies: size it is scaled to, top left corner, mirrored or not. Pixels."""

    height: int
    width: int
    top: int
    left: int
    mirror: bool


def stored_name(token: str, kind: Kind) -> str:
    """Array behind a task's token: `depth` is planar depth for segmentation, distance for translation."""
    if token == "depth":
        return "depth_zbuffer" if kind == "segmentation" else "depth_euclidean"
    return token


def normalise(raw: np.ndarray, modality: str, entry: ModalityEntry, kind: Kind) -> Tensor:
    """(B,H,W) or (B,H,W,3) stored values -> (B,3,H,W) float32; one channel is replicated to three.

    Segmentation: rgb by ImageNet's mean and deviation, depth in metres. All else: [-1, 1] (facts 2b).
    """
    values = torch.from_numpy(raw.astype(np.float32))
    values_BCHW = values.permute(0, 3, 1, 2) if values.ndim == 4 else values.unsqueeze(1)
    is_depth = modality.startswith("depth")
    if kind == "segmentation" and modality == "rgb":
        mean = torch.tensor(IMAGENET_MEAN).view(3, 1, 1)
        std = torch.tensor(IMAGENET_STD).view(3, 1, 1)
        scaled_BCHW = (values_BCHW / 255 - mean) / std
    elif kind == "segmentation" and is_depth:
        scaled_BCHW = values_BCHW / UNITS_PER_METRE
    elif is_depth:
        scaled_BCHW = torch.log1p(values_BCHW) / LOG_DEPTH_SPAN * 2 - 1
    else:
        low, high = entry.range
        scaled_BCHW = ((values_BCHW - low) / (high - low) * 2 - 1).clamp(-1, 1)
    return scaled_BCHW.expand(-1, 3, -1, -1)


def interpolation(modality: str) -> Geometry:
    """Depth and labels are never blended: between two surfaces, or a surface and a hole, there is nothing."""
    return "nearest-exact" if modality.startswith("depth") or modality == "semantic" else "bilinear"


def segmentation_window(
    draw: np.ndarray, shape_px: tuple[int, int], crop_px: int, scales: tuple[float, float], mirror: bool
) -> Window:
    """Scale by U(scales), mirror with probability 1/2, crop anywhere (inside the padding where smaller)."""
    scale = scales[0] + float(draw[0]) * (scales[1] - scales[0])
    height, width = (max(1, round(side * scale)) for side in shape_px)
    return _window(draw, height, width, crop_px, mirror)


def translation_window(
    draw: np.ndarray, shape_px: tuple[int, int], resize_px: int, crop_px: int, mirror: bool
) -> Window:
    """Resize the shorter side to `resize_px` keeping proportions, mirror with probability 1/2, crop anywhere."""
    scale = resize_px / min(shape_px)
    height, width = (round(side * scale) for side in shape_px)
    return _window(draw, height, width, crop_px, mirror)


def _window(draw: np.ndarray, height: int, width: int, crop_px: int, mirror: bool) -> Window:
    return Window(
        height=height,
        width=width,
        top=math.floor(float(draw[2]) * (max(height, crop_px) - crop_px + 1)),
        left=math.floor(float(draw[3]) * (max(width, crop_px) - crop_px + 1)),
        mirror=mirror and bool(draw[1] < 0.5),
    )


def cut(image_CHW: Tensor, window: Window, crop_px: int, modality: str, fill: float = 0.0) -> Tensor:
    """Scale, pad (with `fill`, at the right and the bottom), crop and mirror one normalised image -> (C,crop,crop).

    A mirrored normal map has its x axis negated: a wall that faced left now faces right.
    """
    if image_CHW.shape[-2:] != (window.height, window.width):
        mode = interpolation(modality)
        align = False if mode == "bilinear" else None
        size = (window.height, window.width)
        image_CHW = functional.interpolate(image_CHW[None], size=size, mode=mode, align_corners=align)[0]
    below, right = max(0, crop_px - window.height), max(0, crop_px - window.width)
    if below or right:
        image_CHW = functional.pad(image_CHW, (0, right, 0, below), value=fill)
    cut_CHW = image_CHW[:, window.top : window.top + crop_px, window.left : window.left + crop_px]
    if not window.mirror:
        return cut_CHW
    mirrored_CHW = cut_CHW.flip(-1)
    if modality == "normal":
        mirrored_CHW = mirrored_CHW * torch.tensor([-1.0, 1.0, 1.0]).view(3, 1, 1)
    return mirrored_CHW
