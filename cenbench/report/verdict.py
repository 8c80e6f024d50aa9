"""Whether a number is comparable with the paper's, and if so, whether the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.matrix.verdict_rules import PAPER_PRESET, VerdictRules, setting_differences
from cenbench.stats.agreement import Agreement, agreement, words
from cenbench.stats.spread import FEWEST, Spread, own_spread, pooled_spread

Word = Literal["reproduced", "off", "inconclusive", "not comparable", "none"]
_MOST_DIFFERENCES = 6
_Pool = tuple[str, str]
"""Networks of one metric and output share a spread."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a number beside the paper's, and the reason for it."""

    word: Word
    why: str
    interval: tuple[float, float] | None = None
    """Where another single run is expected (95 %), in the metric's unit; None where nothing was judged."""
    margin: float | None = None
    """The difference that counts, in the metric's unit."""


@dataclass(frozen=True)
class Measured:
    """What is known of one metric of one slot."""

    slot: Slot
    metric: str
    seeds: tuple[float, ...]
    """The numbers of all declared seeds; empty where one is missing, out of date or was not trained here."""
    unjudged: str | None
    """Why `seeds` is empty."""
    any_number: bool
    """Whether any seed has a number, even one that does not count."""
    stand_in: str | None
    """What replaced the paper's instrument in our measurement."""


def judge(measured: Sequence[Measured], layout: TableLayout) -> list[Verdict]:
    """One verdict per number of a table, corrected for how many of them are judged."""
    rules, differences = layout.rules, _Differences()
    verdicts = [_unjudged(found, rules, differences) for found in measured]
    places = [place for place, verdict in enumerate(verdicts) if verdict is None]
    pooled = _pooled(measured) if places else {}
    compared = [_agreement(measured[place], layout, pooled) for place in places]
    for place, found, word in zip(places, compared, words(compared), strict=True):
        verdicts[place] = Verdict(word, _explained(found, word), found.interval, found.margin)
    return [verdict for verdict in verdicts if verdict is not None]


class _Differences:
    """The settings in which a cell differs from the paper's; computed once for all metrics and outputs of a cell."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, slot: Slot) -> tuple[str, ...]:
        assert slot.reference is not None
        key = (slot.cells[0].id, slot.reference.id)
        if key not in self._known:
            self._known[key] = tuple(setting_differences(slot.cells[0], slot.reference))
        return self._known[key]


def _unjudged(found: Measured, rules: VerdictRules, differences: _Differences) -> Verdict | None:
    """The verdict on a number that cannot be held against the paper's; None for one that can."""
    if found.metric not in found.slot.paper:
        return Verdict("none", "the paper has no sourced number here")
    if not found.any_number:
        return Verdict("none", "no number of ours yet")
    obstacles = tuple(_obstacles(found, rules, differences))
    if obstacles:
        return Verdict("not comparable", "; ".join(obstacles))
    if not found.seeds:
        return Verdict("none", found.unjudged or "")
    if found.metric not in rules.margins:
        return Verdict("inconclusive", "params/verdicts.yaml declares no margin for this metric")
    if len(found.seeds) < FEWEST:
        return Verdict("inconclusive", f"{len(found.seeds)} of at least {FEWEST} seeds that a verdict needs")
    if own_spread(found.seeds) is None:
        return Verdict("inconclusive", "all seeds gave the same number, which shows no spread to judge by")
    return None


def _obstacles(found: Measured, rules: VerdictRules, differences: _Differences) -> Iterator[str]:
    if found.slot.incomparable:
        yield found.slot.incomparable
    if found.slot.reference is None:
        yield f"preset {PAPER_PRESET} has no cell for this slot"
    elif differing := differences.of(found.slot):
        more = len(differing) - _MOST_DIFFERENCES
        yield "; ".join((*differing[:_MOST_DIFFERENCES], *([f"{more} more settings"] if more > 0 else [])))
    if found.metric in rules.unmeasured_offsets:
        yield rules.unmeasured_offsets[found.metric]
    if found.stand_in:
        yield f"measured with {found.stand_in}"


def _pooled(measured: Sequence[Measured]) -> Mapping[_Pool, Spread | None]:
    """The spread that the networks of each metric and output share; each network counts once."""
    networks: dict[_Pool, dict[str, tuple[float, ...]]] = {}
    for found in measured:
        if found.seeds and not metrics()[found.metric].is_cost:
            networks.setdefault((found.metric, found.slot.stream), {})[found.slot.cells[0].id] = found.seeds
    return {pool: pooled_spread(list(groups.values())) for pool, groups in networks.items()}


def _agreement(found: Measured, layout: TableLayout, pooled: Mapping[_Pool, Spread | None]) -> Agreement:
    spread = pooled.get((found.metric, found.slot.stream)) or own_spread(found.seeds)
    assert spread is not None  # `_unjudged` refused numbers without one
    return agreement(
        found.seeds,
        found.slot.paper[found.metric],
        half_digit=0.5 * 10.0 ** -layout.paper_decimals.get(found.metric, metrics()[found.metric].decimals),
        margin=layout.rules.margins[found.metric],
        spread=spread,
    )


def _explained(found: Agreement, word: Word) -> str:
    low, high = found.interval
    where = f"a single run is expected from {low:.4g} to {high:.4g} (95 %), margin {found.margin:g}"
    return {
        "reproduced": f"the difference lies within the margin; {where}",
        "off": f"the paper's number lies outside, and beyond the margin; {where}",
    }.get(word, f"neither agreement nor a difference is shown; {where}")
