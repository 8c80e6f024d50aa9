"""What one table's numbers show of the claims that it decides; verdicts among all claims are on the claims' page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.records.read import CellRecord
from cenbench.report.claims import counting_numbers, differences
from cenbench.report.interval_mark import IntervalMark, interval_mark, reach
from cenbench.report.value import MINUS
from cenbench.stats.claims import Relation
from cenbench.stats.paired import compare


@dataclass(frozen=True)
class TableClaim:
    """A claim, and the differences between its better and its worse side, positive in its favour."""

    name: str
    text: str
    source: str
    metric: str
    stream: str
    effect: float | None
    """Mean difference over settings and seeds; None while a cell has no number that counts."""
    interval: tuple[float, float] | None
    """95 % t interval over seeds; None with one seed."""
    in_favour: int
    """How many of the compared pairs differ in the claim's direction."""
    pairs: int
    finished: int
    cells: int
    seeds: int
    relation: Relation = "better"
    margin: float = 0.0
    """The difference that counts."""

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
        """`[low, high]`; empty with one seed."""
        ends = ", ".join(map(self._signed, self.interval or ()))
        return f"[{ends}]" if ends else ""

    @property
    def evidence_text(self) -> str:
        if not self.pairs:
            return ""
        seeds = "one seed: no verdict" if self.seeds == 1 else f"{self.seeds} seeds"
        return f"{self.in_favour} of {self.pairs} pairs agree, {seeds}"

    @property
    def leaning(self) -> str:
        """`for` or `against` where the interval shows it, uncorrected for other claims; otherwise `open`."""
        if self.interval is None:
            return "open"
        low, high = self.interval
        within = {"better": low > 0, "not worse": low > -self.margin, "equal": max(-low, high) < self.margin}
        if within[self.relation]:
            return "for"
        return "against" if high < 0 or (self.relation == "equal" and low > 0) else "open"

    def _signed(self, value: float) -> str:
        return f"{value:+.{metrics()[self.metric].decimals + 1}f}".replace("-", MINUS)


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
    return tuple(_table_claims(preset, planned, {cell.id for cell in layout.cells}, records))


def _table_claims(
    preset: str, planned: Sequence[PlannedClaim], cells: set[str], records: Mapping[str, CellRecord]
) -> Iterator[TableClaim]:
    for claim in planned:
        own = claim.settings and claim.spec.metric and not claim.spec.under
        if not own or not all(cell.id in cells for cell in claim.cells):
            continue
        numbers = counting_numbers(claim, records, {})
        complete = len(numbers) == len(claim.cells)
        settings = differences(claim, numbers) if complete else []
        found = compare(settings) if settings else None
        every = [difference for setting in settings for difference in setting.values()]
        yield TableClaim(
            name=claim.name,
            text=claim.spec.text,
            source=claim.spec.source,
            metric=claim.spec.metric or "",
            stream=claim.stream,
            effect=sum(every) / len(every) if every else None,
            interval=found.interval if found else None,
            in_favour=sum(value > 0 for value in every),
            pairs=len(every),
            finished=len(numbers),
            cells=len(claim.cells),
            seeds=min(len(setting.pairs) for setting in claim.settings),
            relation=claim.spec.relation,
            margin=claim.spec.margin_in(preset) if claim.spec.margin else 0.0,
        )
