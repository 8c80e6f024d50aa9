"""What may be said of a claim about two kinds of networks, alone and among several claims that are judged together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cenbench.stats.bootstrap import Settings
from cenbench.stats.multiple import holm
from cenbench.stats.paired import MOST_SEEDS, Comparison, compare, compare_counts

ClaimWord = Literal["holds", "contradicted", "equal within the margin", "undecided"]
Relation = Literal["better", "not worse", "equal"]
ALPHA = 0.05


@dataclass(frozen=True)
class Evidence:
    """What the seeds show of one claim: `A is better than B`, `A is not worse than B` or `A equals B`."""

    comparison: Comparison
    """Over all settings; where the claim must hold in every setting, of the setting that speaks most against it."""
    margin: float
    relation: Relation
    p_holds: float
    p_against: float
    p_equal: float
    """That the two differ by the margin or more."""


def evidence(
    settings: Settings,
    margin: float,
    relation: Relation = "better",
    *,
    every: bool = False,
    limits: tuple[float, float] | None = None,
    counted: bool = False,
) -> Evidence | None:
    """Test a claim on the differences of each setting's seeds (A minus B, positive where A is better).

    With `every`, the claim is a conjunction over settings: the largest p-value is a valid one for all of them (an
    intersection-union test). Against it is a setting whose effect is the opposite by at least the margin; the smallest
    p-value of such a one is corrected for the number of all (Bonferroni).
    `limits` and None, where nothing can be said: as in `compare`; `counted`: as in `compare_counts`, which always has
    an answer. Raises ValueError for a margin that is not positive.
    """
    if margin <= 0:
        raise ValueError(f"margin {margin} must be positive")
    groups = [[setting] for setting in settings] if every else [settings]
    found = [compare_counts(group) if counted else compare(group, limits=limits) for group in groups]
    known = [comparison for comparison in found if comparison is not None]
    if not known or len(known) < len(found):
        return None
    p_values = [_p_values(comparison, margin, relation) for comparison in known]
    return Evidence(
        comparison=min(known, key=lambda comparison: support(comparison.effect, relation)),
        margin=margin,
        relation=relation,
        p_holds=max(holds for holds, _ in p_values),
        p_against=min(1.0, len(known) * min(against for _, against in p_values)),
        p_equal=max(_p_equal(comparison, margin) for comparison in known),
    )


def claim_words(found: Sequence[Evidence], alpha: float = ALPHA, *, family: int | None = None) -> list[ClaimWord]:
    """One word per claim, corrected for how many are judged together (Holm, for each of the words).

    `family` is how many claims were declared, if some of them have no evidence yet; these count as not shown.

    holds                    shown (one-sided, alpha / 2); `better` needs an effect of at least the margin as well
    contradicted             the opposite is shown, by at least the margin
    equal within the margin  shown (two one-sided tests, alpha / 2 each): neither side is better by a difference that
                             counts
    undecided                none of these is shown
    """
    holds = holm([one.p_holds for one in found], family)
    against = holm([one.p_against for one in found], family)
    equal = holm([one.p_equal for one in found], family)
    return [_word(*one, alpha) for one in zip(found, holds, against, equal, strict=True)]


def _word(one: Evidence, p_holds: float, p_against: float, p_equal: float, alpha: float) -> ClaimWord:
    effect = one.comparison.effect
    if one.relation == "equal":
        if p_holds < alpha:  # two one-sided tests at alpha each
            return "holds"
        return "contradicted" if p_against < alpha else "undecided"
    if p_holds < alpha / 2 and (one.relation == "not worse" or effect >= one.margin):
        return "holds"
    if p_against < alpha / 2:
        return "contradicted"
    return "equal within the margin" if one.relation == "better" and p_equal < alpha / 2 else "undecided"


def _p_values(found: Comparison, margin: float, relation: Relation) -> tuple[float, float]:
    """(that the claim does not hold, that its opposite does not hold).

    An effect that is not the opposite by at least the margin is no evidence against a claim, however certain it is.
    """
    against = found.p_two_sided if relation == "equal" else found.p_worse
    if not is_opposite(found.effect, margin, relation):
        against = 1.0
    if relation == "better":
        return found.p_better, against
    return found.p_above(-margin) if relation == "not worse" else _p_equal(found, margin), against


def _p_equal(found: Comparison, margin: float) -> float:
    """Two one-sided tests: that the true effect is not within the margin."""
    return max(found.p_above(-margin), found.p_below(margin))


def is_opposite(effect: float, margin: float, relation: Relation) -> bool:
    """Whether an effect is the opposite of what is claimed, by at least the margin."""
    return abs(effect) >= margin if relation == "equal" else effect <= -margin


def support(effect: float, relation: Relation) -> float:
    """Larger where an effect speaks more for the claim."""
    return -abs(effect) if relation == "equal" else effect


def seeds_that_agree(one: Evidence, alpha: float = ALPHA) -> int | None:
    """How many seeds would decide the claim if all of them showed what these do, which agree.

    None where these do not agree, or more than `MOST_SEEDS` would be needed.
    """
    if one.comparison.limits is None:
        return None
    for seeds in range(2, MOST_SEEDS + 1):
        found = compare([dict.fromkeys(range(seeds), one.comparison.effect)], resamples=0, limits=one.comparison.limits)
        assert found is not None
        p_holds, p_against = _p_values(found, one.margin, one.relation)
        p_equal = _p_equal(found, one.margin)
        more = replace(one, comparison=found, p_holds=p_holds, p_against=p_against, p_equal=p_equal)
        if claim_words([more], alpha) != ["undecided"]:
            return seeds
    return None
