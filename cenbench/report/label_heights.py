"""Where the labels of points stand so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Label(NamedTuple):
    """A label beside its point: its left end, the height where it stands by itself, and its width; all in one unit."""

    x: float
    y: float
    width: float

    def meets(self, other: Label) -> bool:
        """Whether the two share a part of the x axis."""
        return self.x < other.x + other.width and other.x < self.x + self.width


def spread(labels: Sequence[Label], line: float, bottom: float) -> list[float]:
    """Heights of the labels: at least a `line` between those that meet, and none below `bottom` (y points upwards).

    From top to bottom, each is moved down below those above it; then, from bottom to top, what is below `bottom` is
    moved up, and what it meets with it.
    """
    heights = [label.y for label in labels]
    falling = sorted(range(len(labels)), key=lambda place: -labels[place].y)
    for number, place in enumerate(falling):
        above = [heights[other] for other in falling[:number] if labels[place].meets(labels[other])]
        heights[place] = min([heights[place], *(height - line for height in above)])
    for number in reversed(range(len(falling))):
        place = falling[number]
        below = [heights[other] for other in falling[number + 1 :] if labels[place].meets(labels[other])]
        heights[place] = max([heights[place], bottom, *(height + line for height in below)])
    return heights
