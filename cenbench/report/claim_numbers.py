"""The numbers that decide a claim: of each of its cells, and their differences in the claim's favour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cenbench.matrix.cell import Cell
from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.matrix.metrics import metrics
from cenbench.records.gammas import gamma_numbers
from cenbench.records.read import CellRecord
from cenbench.records.robustness import RobustnessRecord
from cenbench.report.value import why_not_counted
from cenbench.stats.bootstrap import Settings
from cenbench.stats.claims import Evidence, evidence

Numbers = Mapping[str, float]
"""Id of a cell -> its number."""


def family_size(planned: Sequence[PlannedClaim]) -> int:
    """How many claims a preset judges by numbers, finished or not: what each of their verdicts is corrected for."""
    return sum(bool(claim.settings) and claim.spec.check is None for claim in planned)


def evidence_of(preset: str, claim: PlannedClaim, settings: Settings) -> Evidence | None:
    """What the differences of a claim whose cells are all finished show of it; None where nothing can be said."""
    spec = claim.spec
    counted = metrics()[spec.metric or ""].is_cost
    margin, limits = spec.margin_in(preset), _limits(claim)
    return evidence(settings, margin, spec.relation, every=spec.every, limits=limits, counted=counted)


def counting_numbers(
    claim: PlannedClaim, records: Mapping[str, CellRecord], robustness: Mapping[str, RobustnessRecord]
) -> Numbers:
    """The claim's numbers of those cells that are finished, up to date and trained here.

    For a claim under a condition: the number under it minus the one under its baseline.
    """
    numbers = {}
    for cell in claim.cells:
        record = records[cell.id]
        value = _number(claim, record, robustness)
        if not why_not_counted(record) and math.isfinite(value):
            numbers[cell.id] = value
    return numbers


def _number(claim: PlannedClaim, record: CellRecord, robustness: Mapping[str, RobustnessRecord]) -> float:
    """The cell's number; NaN if it has none."""
    metric, under = claim.spec.metric or "", claim.spec.under
    if under is None:
        from_gammas = metric in metrics() and metrics()[metric].needs == "gammas"
        numbers = gamma_numbers(record, claim.stream) if from_gammas else record.numbers(claim.stream)
        return numbers.get(metric, math.nan)
    found = robustness.get(record.cell.id)
    if found is None or found.state != "ok":
        return math.nan
    conditions = (under.condition, under.condition.baseline)
    value, before = (found.number(condition, claim.stream, metric) for condition in conditions)
    return math.nan if value is None or before is None else value - before


def differences(claim: PlannedClaim, numbers: Numbers) -> Settings:
    """For each setting the difference of each seed, positive where the claim's better side is better."""
    return [
        {a.seed: signed(claim, numbers[a.id] - _other(claim, numbers, b)) for a, b in setting.pairs}
        for setting in claim.settings
    ]


def _other(claim: PlannedClaim, numbers: Numbers, worse: Cell) -> float:
    """What a number is compared with: that of the other side, or the claim's own."""
    return numbers[worse.id] if claim.spec.against is None else claim.spec.against


def _limits(claim: PlannedClaim) -> tuple[float, float] | None:
    """The smallest and the largest difference there can be; None for a metric that has no limits."""
    if claim.spec.limits is None:
        return None
    low, high = claim.spec.limits
    against = claim.spec.against
    ends = (low - high, high - low) if against is None else (low - against, high - against)
    first, last = sorted(signed(claim, end) for end in ends)
    return first, last


def signed(claim: PlannedClaim, value: float) -> float:
    return value if metrics()[claim.spec.metric or ""].better == "higher" else -value
