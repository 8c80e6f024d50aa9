"""How far two series of numbers agree on an order: how many of the pairs that one ranks the other ranks alike."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import groupby


def agreeing_pairs(numbers: Iterable[tuple[float, float]]) -> tuple[int, int]:
    """(agreeing, ranked) over all pairs of (a, b): ranked pairs differ in a, agreeing ones have b in that order too.

    A ranked pair with equal b does not agree. For n items this takes n log n comparisons.
    """
    agreeing = ranked = 0
    below: list[float] = []
    """The b of all items with a smaller a, in ascending order."""
    for _, tied in groupby(sorted(numbers), key=lambda item: item[0]):
        values = [b for _, b in tied]
        ranked += len(values) * len(below)
        agreeing += sum(bisect_left(below, b) for b in values)
        for b in values:
            insort(below, b)
    return agreeing, ranked
