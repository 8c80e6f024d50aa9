"""An independent implementation of the renderer's geometry: rays are intersected with a room's parts one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cenbench.data.synthrooms.parts import Part
from cenbench.data.synthrooms.room import Room


@dataclass(frozen=True)
class View:
    """Geometry seen through each of H x W pixels."""

    distance_HW: np.ndarray
    """Along the viewing ray, metres."""
    forward_HW: np.ndarray
    """Cosine between viewing ray and optical axis."""
    part_HW: np.ndarray
    """Number of the nearest part."""
    sure_HW: np.ndarray
    """False where a cushion, whose surface is a mesh, is at or before the nearest part."""
    up: np.ndarray
    """The vertical in camera axes (right, up, towards the viewer)."""
    rays_HWC: np.ndarray
    """Unit viewing rays in camera axes."""


def look(room: Room, height: int, width: int) -> View:
    """A pinhole camera whose field of view spans the smaller side."""
    back = np.subtract(room.eye, room.target)
    back /= np.linalg.norm(back)
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(back, right), back])
    slope = np.tan(np.radians(room.fov_deg) / 2) / (min(height, width) / 2)
    x, y = np.meshgrid((np.arange(width) + 0.5 - width / 2), (height / 2 - np.arange(height) - 0.5))
    rays_HWC = np.stack([x * slope, y * slope, -np.ones_like(x)], axis=-1)
    rays_HWC /= np.linalg.norm(rays_HWC, axis=-1, keepdims=True)
    hits = np.stack([_distance(part, np.array(room.eye), rays_HWC @ axes) for part in room.parts])
    soft = np.array([part.shape == "cushion" for part in room.parts])
    solid = np.where(soft[:, None, None], np.inf, hits)
    nearest_HW = solid.min(0)
    cushions_HW = hits[soft].min(0) if soft.any() else np.full((height, width), np.inf)
    return View(nearest_HW, -rays_HWC[..., 2], solid.argmin(0), cushions_HW > nearest_HW, axes[:, 2], rays_HWC)


def _distance(part: Part, eye: np.ndarray, rays_HWC: np.ndarray) -> np.ndarray:
    """Distance to a part's surface, infinite if the ray misses it; a cushion is treated as the box around it."""
    inverse = np.linalg.inv(part.matrix)
    start, step = inverse[:3, :3] @ eye + inverse[:3, 3], rays_HWC @ inverse[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        if part.shape in ("cube", "cushion"):
            sides = np.stack([(-1 - start) / step, (1 - start) / step])
            enter, leave = sides.min(0).max(-1), sides.max(0).min(-1)
            times = [np.where(enter <= leave, each, np.inf) for each in (enter, leave)]
        else:
            n = 3 if part.shape == "sphere" else 2
            a = np.sum(step[..., :n] ** 2, -1)
            b = step[..., :n] @ start[:n]
            root = np.sqrt(b**2 - a * (start[:n] @ start[:n] - 1))
            times = [(-b - root) / a, (-b + root) / a]
            if part.shape == "cylinder":
                heights = [start[2] + each * step[..., 2] for each in times]
                times = [np.where((z >= 0) & (z <= 1), each, np.inf) for each, z in zip(times, heights, strict=True)]
        ahead = [np.where(each > 1e-6, each, np.inf) for each in times]
    return np.minimum(*ahead)
