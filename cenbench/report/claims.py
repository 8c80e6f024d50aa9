"""The claims of a preset, judged: the one frozen object that every output is rendered from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.records.corollary import CorollaryRecord
from cenbench.records.read import CellRecord
from cenbench.records.registration import Declared
from cenbench.records.robustness import RobustnessRecord
from cenbench.report.claim_images import ImageIntervals
from cenbench.report.claim_numbers import Numbers, counting_numbers, differences, evidence_of, family_size, signed
from cenbench.report.one_seed import OneSeed, one_seed
from cenbench.stats.aggregate import Aggregate, interquartile_mean, probability_of_improvement
from cenbench.stats.bootstrap import Settings
from cenbench.stats.claims import ClaimWord, Evidence, claim_words, is_opposite, seeds_that_agree
from cenbench.stats.paired import Comparison, compare, seed_effects, seeds_needed

Word = ClaimWord | Literal["not measured yet", "not judged here"]
_SHOWN = {
    "holds": "shown by the paired seeds",
    "contradicted": "the paired seeds show the opposite",
    "equal within the margin": "the interval lies within the margin",
}
_COUNTED = "counted on the networks, equal for all seeds"


@dataclass(frozen=True)
class JudgedClaim:
    """A claim on one output, and what the seeds show. All numbers are in the metric's unit, positive in its favour."""

    name: str
    text: str
    source: str
    relation: str
    metric: str | None
    stream: str
    margin: float | None
    word: Word
    why: str
    declared: Declared
    """When the claim was declared in its present form."""
    settings: tuple[str, ...]
    """What is compared: better / worse."""
    seeds: int
    """Seeds per setting."""
    cells: tuple[str, ...]
    finished: int
    """How many of the cells have a number that counts."""
    comparison: Comparison | None = None
    middle: Aggregate | None = None
    """Interquartile mean of all differences; for several settings only."""
    improvement: Aggregate | None = None
    """Probability that a run of the better side is above one of the worse side."""
    images: tuple[float, float] | None = None
    """95 % interval of the effect if other test images had been drawn; the networks stay."""
    one_seed: OneSeed | None = None
    """The differences, where a setting has only one seed: there is nothing to judge by."""
    seeds_needed: int | None = None
    """Seeds per setting that would show a true difference of the margin, where the claim is undecided."""
    stand_in: str | None = None
    against: float | None = None
    """The fixed number that the cells are compared with, in place of other cells."""
    under: str | None = None
    """The condition, for a claim about what is lost under it."""
    check: str | None = None
    """What is checked exactly on each cell, for a claim without numbers."""

    @property
    def effect(self) -> tuple[float, tuple[float, float] | None] | None:
        """Its effect, with the interval over seeds or, with one seed, over test images; None without numbers."""
        if self.comparison is not None:
            return self.comparison.effect, self.comparison.interval
        return None if self.one_seed is None else (self.one_seed.effect, self.one_seed.images)


@dataclass(frozen=True)
class Claims:
    """Every claim of `params/claims.yaml` under one preset."""

    preset: str
    claims: tuple[JudgedClaim, ...]
    unregistered: str | None = None
    """Why the file that holds when they were declared does not count, if it is damaged."""

    @property
    def words(self) -> dict[str, int]:
        """How many claims get each word, the most frequent first."""
        return dict(Counter(claim.word for claim in self.claims).most_common())

    @property
    def judged(self) -> tuple[JudgedClaim, ...]:
        """Those that this preset judges, finished or not."""
        return tuple(claim for claim in self.claims if claim.cells)

    @property
    def others(self) -> tuple[JudgedClaim, ...]:
        return tuple(claim for claim in self.claims if not claim.cells)


def build_claims(
    preset: str,
    planned: Sequence[PlannedClaim],
    records: Mapping[str, CellRecord],
    declared: Mapping[str, Declared],
    images: Mapping[str, ImageIntervals] | None = None,
    robustness: Mapping[str, RobustnessRecord] | None = None,
    corollary: Mapping[str, CorollaryRecord] | None = None,
) -> Claims:
    """Judge every claim; `records` holds all of their cells, `images` the intervals over test images by claim.

    `robustness` holds the cells of claims about what is lost under a condition, `corollary` those that are checked.
    """
    shown: list[JudgedClaim] = []
    found: list[tuple[int, Evidence, Settings]] = []
    for place, claim in enumerate(planned):
        numbers = counting_numbers(claim, records, robustness or {})
        shown.append(_unjudged(preset, claim, records, len(numbers), declared[claim.spec.name]))
        if claim.spec.check is not None and claim.settings:
            shown[place] = _checked(shown[place], claim, corollary or {})
        elif claim.settings and len(numbers) == len(claim.cells):
            settings = differences(claim, numbers)
            one = evidence_of(preset, claim, settings)
            if one is not None:
                found.append((place, one, settings))
            else:
                alone = one_seed(claim, settings, (images or {}).get(claim.name))
                shown[place] = replace(shown[place], why=_why_nothing(settings), one_seed=alone)
            if shown[place].one_seed is None and not (one and one.comparison.is_counted):
                shown[place] = _with_aggregates(shown[place], claim, numbers, settings)
    family = family_size(planned)
    words = claim_words([one for _, one, _ in found], family=family)
    for (place, one, settings), word in zip(found, words, strict=True):
        shown[place] = _with_word(shown[place], planned[place], one, word, settings, family)
    if images:
        over = {name: intervals.claim for name, intervals in images.items()}
        shown = [replace(claim, images=over.get(claim.name)) for claim in shown]
    return Claims(preset, tuple(shown))


def _checked(shown: JudgedClaim, claim: PlannedClaim, corollary: Mapping[str, CorollaryRecord]) -> JudgedClaim:
    """By an exact check of each cell: one counter-example contradicts it, and it holds once all were checked."""
    records = {cell.id: corollary[cell.id] for cell in claim.cells if cell.id in corollary}
    found = {cell_id: record for cell_id, record in records.items() if record.state == "ok"}
    shown = replace(shown, finished=len(found), check=claim.spec.check)
    if unequal := [cell_id for cell_id, record in found.items() if not record.equal]:
        return replace(shown, word="contradicted", why=f"not equal in {len(unequal)} networks, first {unequal[0]}")
    if len(found) < len(claim.cells):
        return replace(shown, why=f"{len(found)} of {len(claim.cells)} cells are checked")
    largest = max(record.difference or 0.0 for record in found.values())
    return replace(
        shown, word="holds", why=f"outputs and losses differ by at most {largest:.0e} in {len(found)} networks"
    )


def _unjudged(
    preset: str, claim: PlannedClaim, records: Mapping[str, CellRecord], finished: int, declared: Declared
) -> JudgedClaim:
    spec = claim.spec
    word: Word = "undecided"
    what = f"are evaluated under {spec.under.condition.key}" if spec.under else "have a number that counts"
    why = f"{finished} of {len(claim.cells)} cells {what}"
    if claim.why_not is not None:
        word, why = ("not measured yet" if spec.needs else "not judged here"), claim.why_not
    stand_ins = (records[cell.id].stand_in.get(spec.metric or "") for cell in claim.cells)
    return JudgedClaim(
        name=claim.name,
        text=spec.text,
        source=spec.source,
        relation=spec.relation,
        metric=spec.metric,
        stream=claim.stream,
        margin=spec.margin_in(preset) if spec.margin else None,
        word=word,
        why=why,
        declared=declared,
        settings=tuple(setting.label for setting in claim.settings),
        seeds=min((len(setting.pairs) for setting in claim.settings), default=0),
        cells=tuple(cell.id for cell in claim.cells),
        finished=finished,
        stand_in=next((label for label in stand_ins if label), None),
        against=spec.against,
        under=spec.under.condition.key if spec.under else None,
    )


def _with_aggregates(shown: JudgedClaim, claim: PlannedClaim, numbers: Numbers, settings: Settings) -> JudgedClaim:
    middle = interquartile_mean(settings) if len(settings) > 1 else None
    improvement = None
    if claim.spec.against is None:
        ours = {cell_id: signed(claim, number) for cell_id, number in numbers.items()}
        runs = [{a.seed: (ours[a.id], ours[b.id]) for a, b in setting.pairs} for setting in claim.settings]
        improvement = probability_of_improvement(runs)
    return replace(shown, middle=middle, improvement=improvement)


def _with_word(
    shown: JudgedClaim, claim: PlannedClaim, one: Evidence, word: ClaimWord, settings: Settings, family: int
) -> JudgedClaim:
    needed, why = None, _COUNTED if one.comparison.is_counted else _SHOWN.get(word, "")
    if word == "undecided":
        needed = seeds_that_agree(one) or _more_seeds(claim, one, settings, shown.seeds)
        why = _why_undecided(one, needed, family)
    return replace(shown, word=word, why=why, comparison=one.comparison, seeds_needed=needed)


def _why_undecided(one: Evidence, needed: int | None, family: int) -> str:
    [alone] = claim_words([one])
    if alone != "undecided":
        by_itself = {"holds": "shown", "contradicted": "the opposite is shown"}.get(alone, alone)
        return f"{by_itself} by itself, but not once corrected for all {family} claims"
    if one.comparison.limits is not None:
        agree = f"all seeds show {one.comparison.effect:+.3g}"
        return f"{agree}; about {needed} that do would decide it" if needed else agree
    return f"about {needed} seeds would show the margin" if needed else "the seeds neither show nor exclude it"


def _more_seeds(claim: PlannedClaim, one: Evidence, settings: Settings, seen: int) -> int | None:
    """About how many seeds would show the margin, in the test that is made.

    None where that is not known, where as many have been seen, and where these show the opposite by the margin: then it
    is the correction for all claims, or the effect itself, that leaves the claim open.
    """
    if is_opposite(one.comparison.effect, one.margin, one.relation):
        return None
    tested = [[setting] for setting in settings] if claim.spec.every else [settings]
    needs = [seeds_needed(group, one.margin) for group in tested]
    known = [count for count in needs if count is not None]
    most = max(known) if len(known) == len(needs) else 0
    return most if most > seen else None


def _why_nothing(settings: Settings) -> str:
    if any(len(setting) < 2 for setting in settings):
        return "one seed has no spread to judge by"
    still = [setting for setting in settings if compare([setting], resamples=0) is None]
    if still and len(still) < len(settings):
        return f"in {len(still)} of {len(settings)} settings all seeds agree, so there is no spread to judge by"
    return f"every seed shows {seed_effects(settings).mean():+.3g}: without spread, there is nothing to judge by"
