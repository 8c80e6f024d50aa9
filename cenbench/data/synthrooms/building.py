"""The materials of one building: two or three per kind of surface, shared by all of its rooms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cenbench.data.synthrooms import materials
from cenbench.data.synthrooms.parts import Material

Rng = np.random.Generator

_KINDS: dict[str, tuple[Callable[[Rng], Material], int]] = {
    "wall": (materials.paint, 2),
    "floor": (materials.flooring, 2),
    "white": (materials.white, 2),
    "door": (materials.wood, 2),
    "picture frame": (materials.wood, 2),
    "window frame": (materials.white, 2),
    "bed": (materials.wood, 2),
    "bed cover": (materials.fabric, 3),
    "sheet": (materials.white, 2),
    "pillow": (materials.fabric, 3),
    "sofa": (materials.fabric, 3),
    "chair": (materials.fabric, 3),
    "table": (materials.wood, 2),
    "cabinet": (materials.wood, 2),
    "bookshelf": (materials.wood, 2),
    "book": (materials.plastic, 3),
    "box": (materials.cardboard, 2),
    "metal": (materials.metal, 2),
    "object": (materials.plastic, 3),
    "toy": (materials.fabric, 3),
}
"""Kind of surface -> the function that makes its materials, and how many of them a building has."""


class Building:
    """Materials by kind of surface; a pure function of the given generator."""

    def __init__(self, rng: Rng) -> None:
        self._materials = {kind: tuple(make(rng) for _ in range(count)) for kind, (make, count) in _KINDS.items()}

    def pick(self, kind: str, rng: Rng) -> Material:
        """One of the building's materials of this kind."""
        choices = self._materials[kind]
        return choices[int(rng.integers(len(choices)))]
