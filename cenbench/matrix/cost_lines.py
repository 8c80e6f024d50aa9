"""A plan's cost as text, for `cenbench plan`, `cenbench status` and dry runs."""

from __future__ import annotations

import math

from cenbench.matrix.cost import PlanCost, StepTimes
from cenbench.matrix.preset import CostModel


def duration(seconds: float) -> str:
    """Seconds in a readable unit: `45 s`, `12 min`, `3.5 h`, `2.1 d`."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    if round(seconds / 60) < 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"


def two_digits(value: float) -> str:
    """Round to two significant digits, because no cost is known better: 2790.76 -> `2,800`, 0.0312 -> `0.031`."""
    if value == 0:
        return "0"
    decimals = 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    # Rounding may carry: 99.6 becomes 100, which needs one decimal fewer.
    decimals = 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(decimals, 0)}f}"


def cost_lines(cost: PlanCost, model: CostModel, measured: StepTimes | None = None) -> list[str]:
    """The total, the longest path, and the source of the seconds: measured (on which device) or estimated."""
    at_once = f"{model.workers} cells at a time" if model.workers > 1 else "one cell at a time"
    unit = measured.unit if measured else model.unit
    return [
        f"Total {two_digits(cost.total_h)} {unit}-hours{_money(cost, model)}; "
        f"about {duration(cost.elapsed_s)} with {at_once}.",
        f"Longest path (dataset, then the longest cell): {duration(cost.longest_s)}.",
        f"Seconds per step: {_source(cost, model, measured)}.",
    ]


def _money(cost: PlanCost, model: CostModel) -> str:
    """The price of the total, if the preset or the user gives one per hour."""
    if model.price_per_hour is None:
        return ""
    each = f"{model.price_per_hour:,.2f} per hour"
    return f", {two_digits(cost.total_h * model.price_per_hour)} {model.currency} at {each}"


def _source(cost: PlanCost, model: CostModel, measured: StepTimes | None) -> str:
    estimate = f"estimate, {model.hardware}"
    if model.measured_on is not None:
        estimate = f"measured on {model.measured_on}, {model.hardware}"
    if measured is None:
        return estimate
    cells = f"{measured.cells} finished cell{'s' if measured.cells > 1 else ''}"
    source = f"measured on {measured.device} from {cells}"
    unmeasured = sorted(cost.kinds - measured.overhead_s.keys())
    return f"{source}; {', '.join(unmeasured)} cells: {estimate}" if unmeasured else source
