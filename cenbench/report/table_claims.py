"""What one table's numbers show of the claims that it decides, corrected for all claims of the preset.

The claims of other tables count as showing nothing, so that a table's page depends on its own cells alone. A claim that
holds or is contradicted on a table's page has the same verdict on the claims page, which may decide more claims.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean

from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.records.read import CellRecord
from cenbench.report.claim_images import image_intervals
from cenbench.report.claim_numbers import counting_numbers, differences, evidence_of, family_size
from cenbench.report.claim_texts import OVER_IMAGES, effect_number
from cenbench.report.interval_mark import IntervalMark, interval_mark, reach
from cenbench.report.one_seed import one_seed
from cenbench.stats.claims import ClaimWord, Evidence, claim_words

LEANING = {"holds": "for", "contradicted": "against"}
"""Verdict -> how its interval is coloured; `open` for all others."""


@dataclass(frozen=True)
class TableClaim:
    """A claim, and the differences between its better and its worse side, positive in its favour."""

    name: str
    text: str
    source: str
    metric: str
    stream: str
    effect: float | None
    """Mean difference over settings and seeds, or in the setting that speaks most against a claim about every one.

    None while a cell has no number that counts.
    """
    interval: tuple[float, float] | None
    """95 % interval of this claim by itself: over seeds or, with one seed, over test images; None if not known."""
    in_favour: int
    """How many of the compared pairs differ in the claim's direction."""
    pairs: int
    finished: int
    cells: int
    seeds: int
    margin: float = 0.0
    """The difference that counts."""
    word: ClaimWord | None = None
    """The verdict, corrected for all claims of the preset; None where there is none, as with one seed."""

    @property
    def effect_text(self) -> str:
        """Effect with its interval, in the metric's unit."""
        if self.effect is None:
            return f"{self.output_text}: {self.finished} of {self.cells} cells have a number that counts"
        return " ".join(filter(None, [self._signed(self.effect), self.interval_text, self.output_text]))

    @property
    def output_text(self) -> str:
        """What was measured: title of the metric, and the output."""
        return f"{metrics()[self.metric].title}, {self.stream}"

    @property
    def mean_text(self) -> str:
        return "" if self.effect is None else self._signed(self.effect)

    @property
    def interval_text(self) -> str:
        """`[low, high]`, and what it is over where that is not the seeds; empty where it is not known."""
        ends = ", ".join(map(self._signed, self.interval or ()))
        return f"[{ends}]{OVER_IMAGES if self.seeds == 1 else ''}" if ends else ""

    @property
    def evidence_text(self) -> str:
        if not self.pairs:
            return ""
        seeds = "one seed: no verdict" if self.seeds == 1 else f"{self.seeds} seeds"
        return f"{self.in_favour} of {self.pairs} pairs agree, {seeds}"

    @property
    def leaning(self) -> str:
        """`for` or `against` where the verdict is that the claim holds or is contradicted; otherwise `open`."""
        return LEANING.get(self.word or "undecided", "open")

    def _signed(self, value: float) -> str:
        return effect_number(self.metric, value)


@dataclass(frozen=True)
class ClaimCard:
    """One statement, and what each output that it is measured on shows of it."""

    text: str
    lines: tuple[tuple[TableClaim, IntervalMark], ...]

    @property
    def leaning(self) -> str:
        """That of its outputs; `open` where they differ."""
        found = {claim.leaning for claim, _ in self.lines}
        return found.pop() if len(found) == 1 else "open"


def claim_cards(claims: Sequence[TableClaim]) -> tuple[ClaimCard, ...]:
    """The measured claims, those of one statement together; effects of one metric are drawn on one scale."""
    measured = [claim for claim in claims if claim.effect is not None]
    ends: dict[str, list[float]] = {}
    for claim in measured:
        ends.setdefault(claim.metric, []).extend((claim.effect or 0.0, claim.margin, *(claim.interval or ())))
    drawn = [
        (claim, interval_mark(claim.effect or 0.0, claim.interval, reach(ends[claim.metric]), claim.margin))
        for claim in measured
    ]
    return tuple(ClaimCard(text, tuple(lines)) for text, lines in groupby(drawn, key=lambda line: line[0].text))


def table_claims(
    preset: str, planned: Sequence[PlannedClaim], layout: TableLayout, records: Mapping[str, CellRecord]
) -> tuple[TableClaim, ...]:
    """The claims whose cells are all in the table. `records` holds every cell of the table."""
    cells = {cell.id for cell in layout.cells}
    own = [claim for claim in planned if _is_decided_by(claim, cells)]
    found = [_measured(preset, claim, records) for claim in own]
    known = [place for place, (_, one) in enumerate(found) if one is not None]
    words = claim_words([one for _, one in found if one is not None], family=family_size(planned))
    judged = dict(zip(known, words, strict=True))
    return tuple(replace(shown, word=judged.get(place)) for place, (shown, _) in enumerate(found))


def _is_decided_by(claim: PlannedClaim, cells: set[str]) -> bool:
    """Whether these cells, as they are trained, decide the claim by their numbers."""
    measured = bool(claim.settings) and claim.spec.metric is not None and claim.spec.under is None
    return measured and all(cell.id in cells for cell in claim.cells)


def _measured(
    preset: str, claim: PlannedClaim, records: Mapping[str, CellRecord]
) -> tuple[TableClaim, Evidence | None]:
    numbers = counting_numbers(claim, records, {})
    settings = differences(claim, numbers) if len(numbers) == len(claim.cells) else []
    one = evidence_of(preset, claim, settings) if settings else None
    every = [difference for setting in settings for difference in setting.values()]
    is_single = bool(settings) and one is None and claim.has_one_seed
    alone = one_seed(claim, settings, image_intervals(claim, records)) if is_single else None
    mean = fmean(fmean(setting.values()) for setting in settings) if settings else None
    shown = TableClaim(
        name=claim.name,
        text=claim.spec.text,
        source=claim.spec.source,
        metric=claim.spec.metric or "",
        stream=claim.stream,
        effect=one.comparison.effect if one else alone.effect if alone else mean,
        interval=one.comparison.interval if one else alone.images if alone else None,
        in_favour=sum(value > 0 for value in every),
        pairs=len(every),
        finished=len(numbers),
        cells=len(claim.cells),
        seeds=min(len(setting.pairs) for setting in claim.settings),
        margin=claim.spec.margin_in(preset) if claim.spec.margin else 0.0,
    )
    return shown, one
