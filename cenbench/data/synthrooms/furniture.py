"""Furniture. Every piece has its back at y = 0, faces +y, and is centred on x. Metres.

A piece is a list of parts with a footprint; `room.py` places it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cenbench.data.synthrooms.building import Building
from cenbench.data.synthrooms.parts import CLUTTER, Material, Part, ball, box, cushion, cylinder

Rng = np.random.Generator


@dataclass(frozen=True)
class Piece:
    """Parts and their footprint: `width` along the wall, `depth` away from it."""

    parts: list[Part]
    width: float
    depth: float
    height: float


def bed(rng: Rng, building: Building) -> Piece:
    width, depth, top = rng.uniform(1.1, 1.8), rng.uniform(1.9, 2.1), rng.uniform(0.42, 0.6)
    frame, cover, half = building.pick("bed", rng), building.pick("bed cover", rng), width / 2
    sheet = building.pick("sheet", rng)
    parts = [
        box((-half, 0, 0), (half, 0.06, rng.uniform(0.8, 1.15)), frame, "bed"),
        box((-half, 0.06, 0.08), (half, depth, 0.25), frame, "bed"),
        box((-half + 0.03, 0.06, 0.25), (half - 0.03, depth - 0.03, top - 0.03), sheet, "bed"),
        box((-half + 0.01, 0.62, 0.27), (half - 0.01, depth - 0.01, top), cover, "bed"),
    ]
    slip = building.pick("pillow", rng)
    for x in (-width / 4, width / 4):
        parts.append(cushion((x, 0.34, top + 0.06), (width * 0.2, 0.22, 0.11), slip, "pillow"))
    return Piece(parts, width, depth, 1.1)


def sofa(rng: Rng, building: Building) -> Piece:
    width, depth, seat = rng.uniform(1.4, 2.2), rng.uniform(0.8, 0.95), rng.uniform(0.38, 0.46)
    cloth, half = building.pick("sofa", rng), width / 2
    parts = [
        box((-half, 0, 0.08), (half, 0.22, rng.uniform(0.75, 0.95)), cloth, "sofa"),
        box((-half, 0, 0.08), (-half + 0.18, depth, seat + 0.2), cloth, "sofa"),
        box((half - 0.18, 0, 0.08), (half, depth, seat + 0.2), cloth, "sofa"),
        box((-half + 0.18, 0.2, 0.08), (half - 0.18, depth - 0.03, seat), cloth, "sofa"),
    ]
    slip = building.pick("pillow", rng)
    for x in rng.uniform(-half + 0.4, half - 0.4, int(rng.integers(0, 3))):
        parts.append(cushion((float(x), 0.32, seat + 0.19), (0.22, 0.1, 0.2), slip, "pillow"))
    return Piece(parts, width, depth, 0.9)


def chair(rng: Rng, building: Building) -> Piece:
    width, seat, back = rng.uniform(0.42, 0.52), rng.uniform(0.42, 0.48), rng.uniform(0.85, 1.05)
    stuff, leg, half = building.pick("chair", rng), building.pick("metal", rng), width / 2
    parts = [box((-half, 0, seat - 0.05), (half, width, seat), stuff, "chair")]
    parts += _legs(half - 0.03, 0.03, width - 0.03, seat - 0.05, rng.uniform(0.014, 0.025), leg, "chair")
    if rng.random() < 0.5:
        parts.append(box((-half, 0, seat + 0.1), (half, 0.04, back), stuff, "chair"))
    else:
        parts += [
            box((x - 0.02, 0, seat), (x + 0.02, 0.03, back), stuff, "chair") for x in (-half + 0.02, 0, half - 0.02)
        ]
        parts.append(box((-half, 0, back - 0.1), (half, 0.035, back), stuff, "chair"))
    return Piece(parts, width, width, back)


def table(rng: Rng, building: Building) -> Piece:
    low = rng.random() < 0.35
    width, depth = rng.uniform(0.8, 1.6), rng.uniform(0.55, 0.9)
    top, half = rng.uniform(0.38, 0.48) if low else rng.uniform(0.7, 0.78), width / 2
    board = building.pick("table", rng)
    parts = [box((-half, 0, top - 0.04), (half, depth, top), board, "table")]
    leg = building.pick("metal", rng) if rng.random() < 0.5 else board
    parts += _legs(half - 0.05, 0.05, depth - 0.05, top - 0.04, rng.uniform(0.02, 0.035), leg, "table")
    parts += _objects_on(rng, building, (-half, half), (0.08, depth - 0.08), top, int(rng.integers(0, 4)))
    return Piece(parts, width, depth, top)


def cabinet(rng: Rng, building: Building) -> Piece:
    low = rng.random() < 0.55
    width, depth = rng.uniform(0.6, 1.5), rng.uniform(0.38, 0.6)
    height, half = rng.uniform(0.6, 0.95) if low else rng.uniform(1.6, 2.1), width / 2
    body, handle = building.pick("cabinet", rng), building.pick("metal", rng)
    parts = [box((-half, 0, 0.04), (half, depth, height), body, "cabinet")]
    doors = int(rng.integers(2, 4))
    for index in range(doors):
        left, right = -half + index * width / doors, -half + (index + 1) * width / doors
        parts.append(box((left + 0.015, depth, 0.08), (right - 0.015, depth + 0.02, height - 0.03), body, "cabinet"))
        parts.append(
            box(
                (right - 0.07, depth + 0.02, height * 0.5),
                (right - 0.05, depth + 0.045, height * 0.6),
                handle,
                "cabinet",
            )
        )
    if low and rng.random() < 0.4:
        parts += _television(rng, min(width * 0.9, 1.2), depth / 2, height)
    elif low:
        parts += _objects_on(rng, building, (-half, half), (0.08, depth - 0.08), height, int(rng.integers(0, 4)))
        if rng.random() < 0.4:
            parts += _table_lamp(rng, building, half - 0.15, depth / 2, height)
    return Piece(parts, width, depth + 0.05, height)


def bookshelf(rng: Rng, building: Building) -> Piece:
    width, depth, height = rng.uniform(0.7, 1.3), rng.uniform(0.26, 0.36), rng.uniform(1.3, 2.1)
    body, half, shelves = building.pick("bookshelf", rng), width / 2, int(rng.integers(4, 6))
    parts = [
        box((-half, 0, 0), (half, 0.02, height), body, "bookshelf"),
        box((-half, 0, 0), (-half + 0.03, depth, height), body, "bookshelf"),
        box((half - 0.03, 0, 0), (half, depth, height), body, "bookshelf"),
    ]
    pitch = (height - 0.04) / shelves
    for level in range(shelves + 1):
        parts.append(box((-half, 0, level * pitch), (half, depth, level * pitch + 0.03), body, "bookshelf"))
    for level in range(shelves):
        x = -half + 0.05
        while x < half - 0.2:
            wide, tall = rng.uniform(0.06, 0.2), pitch * rng.uniform(0.5, 0.85)
            if rng.random() < 0.75:
                foot = level * pitch + 0.03
                cover = building.pick("book", rng)
                parts.append(box((x, 0.03, foot), (x + wide, depth - 0.05, foot + tall), cover, "bookshelf"))
            x += wide + 0.01
    return Piece(parts, width, depth, height)


def floor_lamp(rng: Rng, building: Building) -> Piece:
    height, radius = rng.uniform(1.4, 1.7), rng.uniform(0.14, 0.2)
    pole = building.pick("metal", rng)
    parts = [
        cylinder((0, 0.2, 0.0), 0.13, 0.03, pole, "lamp"),
        cylinder((0, 0.2, 0.0), 0.016, height, pole, "lamp"),
        ball((0, 0.2, height), radius, _shade(rng), "lamp"),
    ]
    return Piece(parts, 0.4, 0.4, height)


def boxes(rng: Rng, building: Building) -> Piece:
    """One to three stacked cardboard boxes."""
    parts: list[Part] = []
    foot, half = 0.0, rng.uniform(0.18, 0.3)
    for _ in range(int(rng.integers(1, 4))):
        tall, card = rng.uniform(0.2, 0.38), building.pick("box", rng)
        parts.append(box((-half, 0.02, foot), (half, 0.02 + 2 * half, foot + tall), card, "box"))
        foot, half = foot + tall, half * rng.uniform(0.7, 0.98)
    return Piece(parts, 0.6, 0.64, foot)


def clutter(rng: Rng, building: Building) -> Piece:
    """Unlabelled objects on the floor: balls, bins, heaps."""
    parts = [] if rng.random() < 0.5 else [cylinder((0, 0.2, 0), 0.15, 0.35, building.pick("object", rng), CLUTTER)]
    for _ in range(int(rng.integers(1, 4))):
        radius = rng.uniform(0.06, 0.16)
        at = (float(rng.uniform(-0.2, 0.2)), float(rng.uniform(0.1, 0.35)), radius)
        parts.append(ball(at, radius, building.pick("toy", rng), CLUTTER))
    return Piece(parts, 0.5, 0.5, 0.3)


STANDING: dict[str, Callable[[Rng, Building], Piece]] = {
    "bed": bed, "sofa": sofa, "chair": chair, "table": table, "cabinet": cabinet, "bookshelf": bookshelf,
    "lamp": floor_lamp, "box": boxes, "clutter": clutter,
}  # fmt: skip


def _legs(
    half: float, near: float, far: float, height: float, radius: float, material: Material, label: str
) -> list[Part]:
    return [cylinder((x, y, 0), radius, height, material, label) for x in (-half, half) for y in (near, far)]


def _objects_on(
    rng: Rng, building: Building, across: tuple[float, float], along: tuple[float, float], top: float, count: int
) -> list[Part]:
    """Small unlabelled objects standing on a surface of height `top`."""
    parts = []
    for _ in range(count):
        x, y = float(rng.uniform(across[0] + 0.1, across[1] - 0.1)), float(rng.uniform(*along))
        size, stuff = float(rng.uniform(0.04, 0.1)), building.pick("object", rng)
        kind = rng.integers(3)
        if kind == 0:
            parts.append(ball((x, y, top + size), size, stuff, CLUTTER))
        elif kind == 1:
            parts.append(cylinder((x, y, top), size * 0.6, size * 2.5, stuff, CLUTTER))
        else:
            parts.append(box((x - size, y - size * 0.7, top), (x + size, y + size * 0.7, top + size), stuff, CLUTTER))
    return parts


def _shade(rng: Rng) -> Material:
    """Material of a lampshade, lit or not."""
    warm = (1.0, rng.uniform(0.7, 0.9), rng.uniform(0.4, 0.7))
    strength = rng.uniform(4.0, 14.0) if rng.random() < 0.6 else 0.0
    radiance = (warm[0] * strength, warm[1] * strength, warm[2] * strength)
    return Material((0.8, 0.75, 0.65), radiance=radiance if strength else None)


def _table_lamp(rng: Rng, building: Building, x: float, y: float, top: float) -> list[Part]:
    radius = rng.uniform(0.1, 0.15)
    return [
        cylinder((x, y, top), 0.025, 0.28, building.pick("metal", rng), "lamp"),
        ball((x, y, top + 0.34), radius, _shade(rng), "lamp"),
    ]


def _television(rng: Rng, width: float, y: float, top: float) -> list[Part]:
    case = Material((0.015, 0.015, 0.017), finish="glossy", dropout=0.7)
    half, tall = width / 2, width * 0.56
    return [
        box((-0.15, y - 0.08, top), (0.15, y + 0.08, top + 0.05), case, "television"),
        box((-half, y - 0.025, top + 0.05), (half, y + 0.025, top + 0.05 + tall), case, "television"),
    ]
