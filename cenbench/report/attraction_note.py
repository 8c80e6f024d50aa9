"""Theorem 1 on a cell's page: the share of channels that zero attracts, and where the theorem's assumption fails."""

from __future__ import annotations

import numpy as np

from cenbench.records.gammas import Gammas, NoGammas, read_gammas
from cenbench.records.read import CellRecord
from cenbench.stats.attraction import calibration, gaussian_departure

_DEPARTS = 0.1
"""A decile that is off by more than this share of a Gaussian's is named."""


def attraction_note(record: CellRecord) -> str:
    """One or two sentences; empty for a cell without an l1 term, or without recorded points."""
    gammas = read_gammas(record)
    if record.cell.l1 == "none" or isinstance(gammas, NoGammas) or not len(gammas.step_T):
        return ""
    found = calibration(gammas.probability_tenths_TMD, gammas.small_gradient_tenths_TMD)
    measured, predicted = (100 * float(tenths.mean()) for tenths in (found.measured, found.predicted))
    return (
        f"Theorem 1, over the training: zero attracts {measured:.1f} % of the channels (their task gradient is under "
        f"lambda), {predicted:.1f} % are predicted; by tenth of the channels the two differ by {100 * found.gap:.1f} "
        f"points. {_departure(gammas)}"
    )


def _departure(gammas: Gammas) -> str:
    """How the gradients of a layer's channels differ from Gaussian ones; the median over layers and points."""
    ratios = gaussian_departure(np.concatenate([layer.gradient_deciles_TMD for layer in gammas.layers.values()]))
    known = ratios[np.isfinite(ratios).all(axis=-1)]
    if not len(known):
        return "Half of the gradients are zero, so they are not Gaussian."
    low, high = np.median(known[:, [0, 8]], axis=0)
    if max(abs(low - 1), abs(high - 1)) <= _DEPARTS:
        return "Across channels the gradients are about Gaussian."
    return (
        f"Across channels the gradients are not Gaussian: with the same median, the first decile is {low:.2f} and the "
        f"last {high:.2f} times a Gaussian's."
    )
