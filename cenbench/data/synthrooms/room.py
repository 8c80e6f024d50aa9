"""A random room: shell, furniture, objects on the walls, lights and camera. NumPy only.

`random_room(seed, index, buildings)` is a pure function of its arguments. x points right, y into the room, z up.
Metres.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cenbench.data.synthrooms.building import Building
from cenbench.data.synthrooms.furniture import STANDING, Piece
from cenbench.data.synthrooms.parts import Material, Part, box, moved

Rng = np.random.Generator
Exposure = Literal["normal", "dark", "over"]

DARK_SHARE, OVER_SHARE = 0.14, 0.12
"""Shares of scenes whose colour picture holds little information, so that depth adds some."""
_BUILDING = 2
"""Third number of the random streams that buildings are drawn from; `scene.py` uses 1."""
_FACING = {"back": np.pi, "left": -np.pi / 2, "right": np.pi / 2}


@dataclass(frozen=True)
class Room:
    """Everything the renderer needs."""

    parts: list[Part]
    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    fov_deg: float
    exposure: Exposure
    gain: float
    """Factor applied to the automatic exposure."""


@dataclass
class _Plan:
    """A room being furnished."""

    building: Building
    width: float
    depth: float
    height: float
    parts: list[Part] = field(default_factory=list)
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)
    """Occupied floor: x0, y0, x1, y1."""
    walls: dict[str, list[tuple[float, float, float]]] = field(
        default_factory=lambda: {"back": [], "left": [], "right": []}
    )
    """Per wall: start and end along it, and height, of every object that stands or hangs there. See `_wall_free`."""

    def length(self, wall: str) -> float:
        return self.width if wall == "back" else self.depth

    def on_wall(self, wall: str, along: float, parts: list[Part]) -> list[Part]:
        """Move parts whose back is at y = 0 to a wall, centred at `along` (0 = its middle)."""
        if wall == "back":
            at = (along, self.depth, 0.0)
        else:
            at = ((-1 if wall == "left" else 1) * self.width / 2, self.depth / 2 + along, 0.0)
        return moved(parts, _FACING[wall], at)


def random_room(seed: int, index: int, buildings: int = 1) -> Room:
    """Room number `index` of the dataset with this `seed`; rooms take turns among the buildings."""
    rng = np.random.default_rng([seed, index])
    building = Building(np.random.default_rng([seed, index % buildings, _BUILDING]))
    plan = _Plan(building, rng.uniform(3.0, 5.0), rng.uniform(3.3, 5.6), rng.uniform(2.4, 2.8))
    eye = (float(rng.uniform(-0.32, 0.32) * plan.width), 0.15, float(rng.uniform(1.15, 1.7)))
    plan.taken.append((eye[0] - 0.55, -1.0, eye[0] + 0.55, 1.25))
    _shell(plan, rng)
    exposure, gain = _exposure(rng)
    _openings(plan, rng)
    _stand_along_walls(plan, rng)
    _stand_free(plan, rng)
    _hang(plan, rng)
    _lights(plan, rng)
    target = (float(rng.uniform(-0.22, 0.22) * plan.width), plan.depth * 0.8, float(rng.uniform(0.55, 1.05)))
    return Room(plan.parts, eye, target, float(rng.uniform(62, 76)), exposure, gain)


def _exposure(rng: Rng) -> tuple[Exposure, float]:
    kind = rng.random()
    if kind < DARK_SHARE:
        return "dark", float(rng.uniform(0.02, 0.07))
    if kind < DARK_SHARE + OVER_SHARE:
        return "over", float(rng.uniform(6.0, 12.0))
    return "normal", float(2.0 ** rng.uniform(-0.6, 0.7))


def _shell(plan: _Plan, rng: Rng) -> None:
    half, depth, height = plan.width / 2, plan.depth, plan.height
    paint, floor = plan.building.pick("wall", rng), plan.building.pick("floor", rng)
    accent = plan.building.pick("wall", rng) if rng.random() < 0.3 else paint
    white = plan.building.pick("white", rng)
    plan.parts += [
        box((-half, depth, 0), (half, depth + 0.1, height), accent, "wall"),
        box((-half - 0.1, 0, 0), (-half, depth, height), paint, "wall"),
        box((half, 0, 0), (half + 0.1, depth, height), paint, "wall"),
        box((-half, -0.1, 0), (half, 0, height), paint, "wall"),
        box((-half - 0.1, -0.1, -0.1), (half + 0.1, depth + 0.1, 0), floor, "floor"),
        box((-half - 0.1, -0.1, height), (half + 0.1, depth + 0.1, height + 0.1), white, "ceiling"),
    ]
    skirting = white if rng.random() < 0.5 else plan.building.pick("picture frame", rng)
    for wall in ("back", "left", "right"):
        side = plan.length(wall) / 2
        plan.parts += plan.on_wall(wall, 0.0, [box((-side, 0, 0), (side, 0.015, 0.09), skirting, "wall")])


def _openings(plan: _Plan, rng: Rng) -> None:
    """A door in 7 of 10 rooms, one or two windows in 4 of 5."""
    if rng.random() < 0.7:
        wide, tall = rng.uniform(0.8, 0.95), rng.uniform(1.98, 2.1)
        _mount(plan, rng, wide, 0.0, tall, _door(plan.building, rng, wide, tall))
    day = rng.random() < 0.7
    sky = rng.uniform(3, 9)
    glass = Material(
        (0.03, 0.03, 0.04), finish="glossy", dropout=0.9,
        radiance=(0.85 * sky, 0.95 * sky, sky * 1.1) if day else None,
    )  # fmt: skip
    for _ in range(int(rng.choice([0, 1, 1, 1, 2]))):
        wide, foot, top = rng.uniform(0.8, 1.6), rng.uniform(0.8, 1.0), rng.uniform(1.9, 2.2)
        _mount(plan, rng, wide, foot, top, _window(plan.building, rng, wide, foot, top, glass))


def _door(building: Building, rng: Rng, wide: float, tall: float) -> list[Part]:
    leaf, frame, half = building.pick("door", rng), building.pick("white", rng), wide / 2
    return [
        box((-half, 0, 0), (half, 0.04, tall), leaf, "door"),
        box((-half - 0.06, 0, 0), (-half, 0.06, tall + 0.06), frame, "door"),
        box((half, 0, 0), (half + 0.06, 0.06, tall + 0.06), frame, "door"),
        box((-half, 0, tall), (half, 0.06, tall + 0.06), frame, "door"),
        box((half - 0.14, 0.04, 1.0), (half - 0.05, 0.09, 1.03), building.pick("metal", rng), "door"),
        box((-half + 0.12, 0.04, 1.15), (half - 0.12, 0.05, tall - 0.15), leaf, "door"),
        box((-half + 0.12, 0.04, 0.15), (half - 0.12, 0.05, 0.9), leaf, "door"),
    ]


def _window(building: Building, rng: Rng, wide: float, foot: float, top: float, glass: Material) -> list[Part]:
    frame, half = building.pick("window frame", rng), wide / 2
    parts = [
        box((-half, 0, foot), (half, 0.012, top), glass, "window"),
        box((-half - 0.06, 0, foot - 0.06), (half + 0.06, 0.09, foot), frame, "window"),
        box((-half - 0.06, 0, top), (half + 0.06, 0.05, top + 0.06), frame, "window"),
        box((-0.025, 0, foot), (0.025, 0.04, top), frame, "window"),
    ]
    for edge in (-half - 0.06, half):
        parts.append(box((edge, 0, foot), (edge + 0.06, 0.05, top), frame, "window"))
    return parts


def _stand_along_walls(plan: _Plan, rng: Rng) -> None:
    names = ["bed", "sofa", "cabinet", "bookshelf", "table", "cabinet", "chair", "lamp", "box", "clutter"]
    main = ["bed", "sofa"][int(rng.integers(2))]
    order = [main, *rng.permutation([name for name in names if name != main])]
    for name in order[: int(rng.integers(6, 10))]:
        _stand(plan, rng, STANDING[name](rng, plan.building))


def _stand(plan: _Plan, rng: Rng, piece: Piece) -> None:
    """Place a piece against a wall where it fits; it is left out after ten tries."""
    for _ in range(10):
        wall = ("back", "back", "left", "right")[int(rng.integers(4))]
        room = plan.length(wall) / 2 - piece.width / 2 - 0.05
        if room <= 0:
            continue
        along = float(rng.uniform(-room, room))
        gap = float(rng.uniform(0.02, 0.08))
        if wall == "back":
            low = (along - piece.width / 2, plan.depth - piece.depth - gap)
            area = (*low, along + piece.width / 2, plan.depth)
        else:
            near = plan.depth / 2 + along
            inner = plan.width / 2 - piece.depth - gap
            x = (-plan.width / 2, -inner) if wall == "left" else (inner, plan.width / 2)
            area = (x[0], near - piece.width / 2, x[1], near + piece.width / 2)
        span = (along - piece.width / 2, along + piece.width / 2, piece.height)
        if _free(plan, area) and _wall_free(plan, wall, span, foot=0.0):
            plan.taken.append(area)
            plan.walls[wall].append(span)
            plan.parts += plan.on_wall(wall, along, moved(piece.parts, 0.0, (0.0, gap, 0.0)))
            return


def _stand_free(plan: _Plan, rng: Rng) -> None:
    """Chairs, tables, boxes and clutter anywhere on the floor, at any angle."""
    for name in rng.choice(["chair", "chair", "table", "box", "clutter"], int(rng.integers(2, 5))):
        piece = STANDING[str(name)](rng, plan.building)
        reach = float(np.hypot(piece.width / 2, piece.depth / 2))
        for _ in range(8):
            x = float(rng.uniform(-plan.width / 2 + reach, plan.width / 2 - reach))
            y = float(rng.uniform(1.0 + reach, max(1.1 + reach, plan.depth - reach)))
            area = (x - reach, y - reach, x + reach, y + reach)
            turn = float(rng.uniform(0, 2 * np.pi))
            if y + reach < plan.depth and _free(plan, area):
                plan.taken.append(area)
                centred = moved(piece.parts, 0.0, (0.0, -piece.depth / 2, 0.0))
                plan.parts += moved(centred, turn, (x, y, 0.0))
                break


def _hang(plan: _Plan, rng: Rng) -> None:
    """Pictures, mirrors and televisions on the walls."""
    for _ in range(int(rng.integers(2, 6))):
        kind = rng.random()
        wide = float(rng.uniform(0.35, 0.9))
        tall = wide * float(rng.uniform(0.6, 1.4))
        frame = plan.building.pick("picture frame", rng)
        label = "picture"
        inside = Material((0.5, 0.5, 0.5), "painting")
        if kind < 0.28:
            label, tall = "mirror", wide * float(rng.uniform(1.0, 1.6))
            inside = Material((0.9, 0.9, 0.9), finish="mirror", dropout=0.9)
        elif kind < 0.42:
            label, wide = "television", float(rng.uniform(0.8, 1.2))
            tall, frame = wide * 0.57, Material((0.02, 0.02, 0.02))
            inside = Material((0.015, 0.015, 0.018), finish="glossy", dropout=0.7)
        foot = float(rng.uniform(1.05, 1.4))
        foot = min(foot, plan.height - tall - 0.1)
        half = wide / 2
        parts = [
            box((-half, 0, foot), (half, 0.03, foot + tall), frame, label),
            box((-half + 0.025, 0.0, foot + 0.025), (half - 0.025, 0.036, foot + tall - 0.025), inside, label),
        ]
        _mount(plan, rng, wide, foot, foot + tall, parts)


def _mount(plan: _Plan, rng: Rng, wide: float, foot: float, top: float, parts: list[Part]) -> None:
    """Mount an object on a free part of a wall; it is left out after eight tries."""
    for _ in range(8):
        wall = ("back", "back", "left", "right")[int(rng.integers(4))]
        room = plan.length(wall) / 2 - wide / 2 - 0.1
        if room <= 0:
            continue
        along = float(rng.uniform(-room, room))
        span = (along - wide / 2 - 0.06, along + wide / 2 + 0.06, top)
        if _wall_free(plan, wall, span, foot):
            plan.walls[wall].append((span[0], span[1], 9.0 if foot > 0 else top))
            if foot > 0:
                plan.walls[wall][-1] = (span[0], span[1], -foot)
            plan.parts += plan.on_wall(wall, along, parts)
            return


def _wall_free(plan: _Plan, wall: str, span: tuple[float, float, float], foot: float) -> bool:
    """Standing objects are recorded with their height (> 0), hanging ones with minus the height of their foot."""
    for start, stop, height in plan.walls[wall]:
        if span[1] < start or span[0] > stop:
            continue
        below = height > 0 and foot > height
        above = height < 0 and foot == 0.0 and span[2] < -height
        if not (below or above):
            return False
    return True


def _free(plan: _Plan, area: tuple[float, float, float, float]) -> bool:
    return all(
        area[2] <= other[0] or area[0] >= other[2] or area[3] <= other[1] or area[1] >= other[3] for other in plan.taken
    )


def _lights(plan: _Plan, rng: Rng) -> None:
    """A ceiling light (on in most rooms) and a faint fill light behind the camera, like a dim neighbouring room."""
    warm = (1.0, rng.uniform(0.75, 1.0), rng.uniform(0.5, 1.0))
    strength = rng.uniform(4, 14) if rng.random() < 0.8 else 0.5
    x, y = rng.uniform(-0.25, 0.25) * plan.width, rng.uniform(0.35, 0.75) * plan.depth
    half = rng.uniform(0.15, 0.35)
    lit = Material((0.8, 0.8, 0.8), radiance=(warm[0] * strength, warm[1] * strength, warm[2] * strength))
    plan.parts.append(
        box((x - half, y - half, plan.height - 0.05), (x + half, y + half, plan.height - 0.01), lit, "lamp")
    )
    faint = rng.uniform(0.15, 0.5)
    fill = Material((0.5, 0.5, 0.5), radiance=(faint, faint, faint))
    side = plan.width / 2 - 0.2
    plan.parts.append(box((-side, 0.0, 0.3), (side, 0.01, plan.height - 0.3), fill, "wall"))
