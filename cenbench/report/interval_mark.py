"""A small picture of an effect: its interval as a line, its mean as a dot, beside zero. Geometry only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WIDTH, HEIGHT = 240.0, 18.0
_EDGE = 6.0
"""Pixels between the largest effect and the edge of the picture."""
_SMALLEST_REACH = 1e-30


@dataclass(frozen=True)
class IntervalMark:
    """Coordinates are pixels of a WIDTH x HEIGHT picture with zero in its middle."""

    at: float
    low: float
    high: float
    margin_px: float
    """Half the width of the band of differences that do not count; 0 without a margin."""
    zero: float = WIDTH / 2
    width: float = WIDTH
    height: float = HEIGHT


def reach(ends: Iterable[float]) -> float:
    """The largest absolute value: what effects that are drawn under each other share as their scale."""
    return max((abs(end) for end in ends), default=0.0)


def interval_mark(
    effect: float, interval: tuple[float, float] | None, largest: float, margin: float = 0.0
) -> IntervalMark:
    """An effect on a scale from -`largest` to `largest`; what lies beyond it is drawn at the edge."""
    scale = (WIDTH / 2 - _EDGE) / max(largest, _SMALLEST_REACH)

    def x_px(value: float) -> float:
        return round(WIDTH / 2 + max(-1.0, min(1.0, value / max(largest, _SMALLEST_REACH))) * (WIDTH / 2 - _EDGE), 1)

    low, high = interval or (effect, effect)
    band = min(WIDTH / 2, round(margin * scale, 1))
    return IntervalMark(x_px(effect), x_px(low), x_px(high), band)
