"""All modalities of one scene of the synthetic dataset, aligned. A pure function of the spec and the scene's index."""

from __future__ import annotations

import numpy as np

from cenbench.data.manifest import VOID
from cenbench.data.synthrooms.parts import CLASSES
from cenbench.data.synthrooms.render import Buffers, render
from cenbench.data.synthrooms.room import random_room
from cenbench.data.synthrooms.sensor import expose, measure_depth
from cenbench.matrix.specs import DatasetSpec

_LIGHT = np.array([0.35, 0.55, 0.76], np.float32)
"""Fixed direction of the light in `shade`, camera axes (right, up, towards the viewer)."""
LIGHT_PATHS = 4
"""Light paths per pixel; denoising removes the remaining noise."""
GRADIENT_RANGE = (0, 10_000)
_TEXTURE_FULL, _EDGE_FULL = 0.35, 0.25
"""Gradients (gray level, square root of metres; per pixel) that are stored as the maximum."""


def render_scene(spec: DatasetSpec, index: int) -> dict[str, np.ndarray]:
    """Arrays (H, W) or (H, W, 3) by modality; units as `prepare.py` states them in the manifest."""
    room = random_room(spec.seed, index, spec.buildings)
    rng = np.random.default_rng([spec.seed, index, 1])
    buffers = render(room, spec.shape_px, LIGHT_PATHS, int(rng.integers(2**31)))
    labels = np.array([CLASSES.index(part.label) if part.label in CLASSES else VOID for part in room.parts])
    camera_HWC = expose(buffers.rgb_HWC, room.gain, rng)
    rgb_HWC = expose(buffers.rgb_HWC, 1.0, None)
    euclidean_HW, planar_HW = measure_depth(room, buffers, rng)
    gray_HW = rgb_HWC @ np.array([0.299, 0.587, 0.114]) / 255
    return {
        "rgb": camera_HWC,
        "rgb_well_exposed": rgb_HWC,
        "depth_euclidean": euclidean_HW,
        "depth_zbuffer": planar_HW,
        "normal": np.rint(127.5 + 127.5 * buffers.normal_HWC).astype(np.uint8),
        "shade": _shade(buffers),
        "texture": _gradient(gray_HW, _TEXTURE_FULL),
        "edge": _gradient(np.sqrt(buffers.depth_HW), _EDGE_FULL),
        "semantic": labels[buffers.part_HW].astype(np.uint8),
    }


def _shade(buffers: Buffers) -> np.ndarray:
    """Shading of white surfaces under a fixed light."""
    facing_HW = np.clip(buffers.normal_HWC @ (_LIGHT / np.linalg.norm(_LIGHT)), 0, 1)
    shaded_HW: np.ndarray = np.rint(255 * (0.1 + 0.9 * facing_HW)).astype(np.uint8)
    return shaded_HW


def _gradient(values_HW: np.ndarray, full: float) -> np.ndarray:
    """Sobel magnitude per pixel as u16; `full` and above become the maximum of the range."""
    p = np.pad(values_HW, 1, mode="edge")
    across = (p[:-2, 2:] + 2 * p[1:-1, 2:] + p[2:, 2:] - p[:-2, :-2] - 2 * p[1:-1, :-2] - p[2:, :-2]) / 8
    down = (p[2:, :-2] + 2 * p[2:, 1:-1] + p[2:, 2:] - p[:-2, :-2] - 2 * p[:-2, 1:-1] - p[:-2, 2:]) / 8
    share = np.clip(np.hypot(across, down) / full, 0, 1)
    gradient_HW: np.ndarray = np.rint(share * GRADIENT_RANGE[1]).astype(np.uint16)
    return gradient_HW
