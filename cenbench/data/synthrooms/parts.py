"""Building blocks of rooms: boxes, cylinders, balls and cushions with a material and a label. Metres, z up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

CLASSES = (
    "wall", "floor", "ceiling", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture",
    "pillow", "mirror", "television", "lamp", "box",
)  # fmt: skip
"""Labels are positions in this tuple. Clutter has no class and becomes void."""
CLUTTER = "clutter"

Shape = Literal["cube", "sphere", "cylinder", "cushion"]
Pattern = Literal["plain", "noise", "wood", "planks", "tiles", "stripes", "plaid", "spots", "painting"]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """Linear reflectance, the pattern on it, and how a depth sensor sees it."""

    colour: Colour
    pattern: Pattern = "plain"
    second: Colour = (0.0, 0.0, 0.0)
    """Second colour of the pattern."""
    repeat: tuple[float, float] = (1.0, 1.0)
    finish: Literal["matt", "glossy", "mirror"] = "matt"
    radiance: Colour | None = None
    """Emitted light; None for a material that is not a light."""
    dropout: float = 0.0
    """Share of its pixels that a depth sensor loses (specular, transparent)."""


@dataclass(frozen=True)
class Part:
    """A unit shape (cube or cushion over [-1, 1], sphere, or cylinder with z in [0, 1]) under a 4 x 4 transform."""

    shape: Shape
    matrix: np.ndarray
    material: Material
    label: str
    thin: bool = False
    """Legs, poles and frames, which depth sensors tend to miss."""


def box(low: tuple[float, float, float], high: tuple[float, float, float], material: Material, label: str) -> Part:
    """Axis-aligned box between two corners."""
    first, last = np.array(low), np.array(high)
    matrix = np.diag([*((last - first) / 2), 1.0])
    matrix[:3, 3] = (first + last) / 2
    return Part("cube", matrix, material, label, thin=bool(np.sort(last - first)[1] < 0.09))


def cylinder(foot: tuple[float, float, float], radius: float, height: float, material: Material, label: str) -> Part:
    """Upright cylinder standing on `foot` (without caps)."""
    matrix = np.diag([radius, radius, height, 1.0])
    matrix[:3, 3] = foot
    return Part("cylinder", matrix, material, label, thin=radius < 0.045)


def ball(centre: tuple[float, float, float], radius: float, material: Material, label: str) -> Part:
    """Sphere."""
    matrix = np.diag([radius, radius, radius, 1.0])
    matrix[:3, 3] = centre
    return Part("sphere", matrix, material, label)


def cushion(
    centre: tuple[float, float, float], radii: tuple[float, float, float], material: Material, label: str
) -> Part:
    """Rounded block with half-axes along x, y, z."""
    matrix = np.diag([*radii, 1.0])
    matrix[:3, 3] = centre
    return Part("cushion", matrix, material, label)


def moved(parts: list[Part], turn_rad: float, to: tuple[float, float, float]) -> list[Part]:
    """The parts rotated about the vertical axis, then translated."""
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    motion = np.array([[cosine, -sine, 0, to[0]], [sine, cosine, 0, to[1]], [0, 0, 1, to[2]], [0, 0, 0, 1.0]])
    return [replace(part, matrix=motion @ part.matrix) for part in parts]
