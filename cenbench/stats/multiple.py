"""Several tests at once: Holm's step-down correction."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float], family: int | None = None) -> list[float]:
    """Adjusted p-values in the order given: rejecting those under alpha keeps the family's error rate at alpha.

    `family` is how many tests there are in all, if these are not all of them; the others count as showing nothing.
    ValueError if it is smaller than their number.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    tests = len(p_values) if family is None else family
    if tests < len(p_values):
        raise ValueError(f"{len(p_values)} tests in a family of {tests}")
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, (tests - rank) * p_values[place])
        adjusted[place] = min(1.0, highest)
    return adjusted
