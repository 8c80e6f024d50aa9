"""What became of a number between two versions of the same thing: noise, better, worse, or undecided."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cenbench.stats.multiple import holm
from cenbench.stats.paired import Comparison, compare, compare_counts

ChangeWord = Literal["same", "noise", "better", "worse", "undecided"]


@dataclass(frozen=True)
class Change:
    """One number before and after: B minus A, positive where B is better."""

    a: float
    b: float
    effect: float
    seeds: int
    """Seeds that both sides have."""
    moved: bool
    """Whether any seed has another value; the means may still agree."""
    comparison: Comparison | None
    """None for fewer than two common seeds, or where their differences do not scatter."""

    @property
    def is_certain(self) -> bool:
        """Whether the numbers were counted, so that a difference needs no test."""
        return self.comparison is not None and self.comparison.is_counted


def change(
    a: Mapping[int, float], b: Mapping[int, float], *, higher_is_better: bool, counted: bool = False
) -> Change | None:
    """Compare the numbers (seed -> value) of the seeds that both sides have; None if there is none.

    `counted`: they are counted on the networks, as parameters are, so that any difference is certain.
    """
    common = sorted(a.keys() & b.keys())
    if not common:
        return None
    sign = 1 if higher_is_better else -1
    differences = {seed: sign * (b[seed] - a[seed]) for seed in common}
    before, after = (math.fsum(side[seed] for seed in common) / len(common) for side in (a, b))
    effect = math.fsum(differences.values()) / len(common)
    moved = any(a[seed] != b[seed] for seed in common)
    compared = compare_counts([differences]) if counted else compare([differences], resamples=0)
    return Change(before, after, effect, len(common), moved, compared)


def change_words(changes: Sequence[Change], margins: Sequence[float | None], alpha: float = 0.05) -> list[ChangeWord]:
    """One word per change, corrected for how many measured ones were compared (Holm).

    same       no digit of any seed differs
    better     shown to be better (two-sided), by at least the margin if there is one; `worse` likewise
    noise      the interval lies within the margin: no difference that counts
    undecided  none of these is shown, as is always the case with a single seed
    """
    p_values = {
        place: one.comparison.p_two_sided
        for place, one in enumerate(changes)
        if one.comparison is not None and one.moved and not one.is_certain
    }
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [
        _word(one, 0.0 if one.is_certain else adjusted.get(place, 1.0), margin, alpha)
        for place, (one, margin) in enumerate(zip(changes, margins, strict=True))
    ]


def _word(one: Change, p: float, margin: float | None, alpha: float) -> ChangeWord:
    if not one.moved:
        return "same"
    if p < alpha and abs(one.effect) >= (margin or 0.0):
        return "better" if one.effect > 0 else "worse"
    if one.comparison is not None and margin is not None:
        return "noise" if one.comparison.is_within(margin) else "undecided"
    return "undecided"
