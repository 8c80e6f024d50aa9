"""What can be concluded from seeds that all show the same value of a bounded number: exact, without a t test.

If a number has a smallest possible value, and its mean is below what every seed shows, then some seeds must show less,
and the more of them the further the mean is below. The bound is reached by a number that is either what was seen or the
limit, so for a share of which every seed shows 0 % it is the exact binomial (Clopper-Pearson) one, with the seed as its
unit.
"""

from __future__ import annotations


def p_unanimous(seen: float, threshold: float, limit: float, seeds: int) -> float:
    """The largest probability that all seeds show `seen` though the mean is at `threshold` or nearer to `limit`.

    `limit` is the smallest possible number for a threshold below `seen`, and the largest for one above it. 1 where the
    threshold is not between them.
    """
    if (seen - threshold) * (seen - limit) <= 0:
        return 1.0
    return max(0.0, (threshold - limit) / (seen - limit)) ** seeds


def unanimous_interval(
    seen: float, limits: tuple[float, float], seeds: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The means at which `p_unanimous` is not below half of what the confidence leaves, on both sides."""
    reach = 1 - ((1 - confidence) / 2) ** (1 / seeds)
    low, high = limits
    return seen - reach * (seen - low), seen + reach * (high - seen)
