"""How a claim's numbers are printed: the same words in HTML, LaTeX and the terminal."""

from __future__ import annotations

from cenbench.matrix.metrics import metrics
from cenbench.report.claims import JudgedClaim
from cenbench.report.value import difference_text

OVER_IMAGES = " over images"
"""What follows an interval that is over test images, and not over seeds."""
_EXTRA_DIGITS = 1
"""Effects are smaller than the numbers they are differences of."""


def effect_text(claim: JudgedClaim) -> str:
    """The effect with its t interval, e.g. `+6.4 [+3.1, +9.7]`; with one seed, that over test images, which is named.

    Empty where cells are not finished.
    """
    if claim.one_seed is not None:
        return one_seed_text(claim, claim.one_seed.effect, claim.one_seed.images)
    if claim.comparison is None:
        return ""
    return f"{_signed(claim, claim.comparison.effect)} {interval_text(claim, claim.comparison.interval)}"


def one_seed_text(claim: JudgedClaim, effect: float, images: tuple[float, float] | None) -> str:
    """A difference of one seed, e.g. `+6.4 [+3.1, +9.7] over images`; the difference alone without an interval."""
    interval = f" {interval_text(claim, images)}{OVER_IMAGES}" if images else ""
    return f"{_signed(claim, effect)}{interval}"


def interval_text(claim: JudgedClaim, interval: tuple[float, float] | None) -> str:
    """`[low, high]` in the metric's unit; empty for None."""
    if interval is None:
        return ""
    low, high = interval
    return f"[{_signed(claim, low)}, {_signed(claim, high)}]"


def margin_text(claim: JudgedClaim) -> str:
    return "" if claim.margin is None else f"{claim.margin:g}"


def metric_text(claim: JudgedClaim) -> str:
    """Title and output of the metric, e.g. `Mean IoU (%), ensemble`, and what the claim is about beside it."""
    if claim.metric is None:
        return "" if claim.check is None else f"exact check, {claim.check}"
    metric = metrics()[claim.metric]
    under = f", change under {claim.under}" if claim.under else ""
    against = f", against {claim.against:g}" if claim.against is not None else ""
    return f"{metric.title}{f' ({metric.unit})' if metric.unit else ''}, {claim.stream}{under}{against}"


def seeds_text(claim: JudgedClaim) -> str:
    """`3 seeds x 4 settings`, or how many cells are finished."""
    if not claim.cells:
        return ""
    if claim.finished < len(claim.cells):
        return f"{claim.finished} of {len(claim.cells)} cells"
    settings = len(claim.settings)
    return f"{claim.seeds} seed{'s' if claim.seeds > 1 else ''} x {settings} setting{'s' if settings > 1 else ''}"


def share_text(value: float) -> str:
    """A probability in percent."""
    return f"{100 * value:.0f} %"


def effect_number(metric: str, value: float) -> str:
    """A difference with its sign and one digit more than the metric's numbers have."""
    return difference_text(metric, value, _EXTRA_DIGITS)


def _signed(claim: JudgedClaim, value: float) -> str:
    assert claim.metric is not None
    return effect_number(claim.metric, value)
