"""What one table's numbers show of the claims that it decides; verdicts among all claims are on the claims' page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.records.read import CellRecord
from cenbench.report.claims import counting_numbers, differences
from cenbench.report.value import MINUS
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

    @property
    def effect_text(self) -> str:
        """Effect with its interval, in the metric's unit."""
        output = f"{metrics()[self.metric].title}, {self.stream}"
        if self.effect is None:
            return f"{output}: {self.finished} of {self.cells} cells have a number that counts"
        ends = ", ".join(map(self._signed, self.interval or ()))
        return f"{self._signed(self.effect)}{f' [{ends}]' if ends else ''} {output}"

    @property
    def evidence_text(self) -> str:
        if not self.pairs:
            return ""
        seeds = "one seed: no verdict" if self.seeds == 1 else f"{self.seeds} seeds"
        return f"{self.in_favour} of {self.pairs} pairs in its favour, {seeds}"

    @property
    def leaning(self) -> str:
        """`for` or `against` where the interval is on one side of zero; otherwise `open`."""
        low, high = self.interval or (0.0, 0.0)
        return "for" if low > 0 else "against" if high < 0 else "open"

    def _signed(self, value: float) -> str:
        return f"{value:+.{metrics()[self.metric].decimals + 1}f}".replace("-", MINUS)


def table_claims(
    planned: Sequence[PlannedClaim], layout: TableLayout, records: Mapping[str, CellRecord]
) -> tuple[TableClaim, ...]:
    """The claims whose cells are all in the table. `records` holds every cell of the table."""
    return tuple(_table_claims(planned, {cell.id for cell in layout.cells}, records))


def _table_claims(
    planned: Sequence[PlannedClaim], cells: set[str], records: Mapping[str, CellRecord]
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
        )
