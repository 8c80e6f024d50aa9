"""One slot of a table, filled: its numbers, where they come from, and how they are printed."""

from __future__ import annotations

from dataclasses import dataclass

from cenbench.matrix.metrics import metrics
from cenbench.records.read import CellRecord, State
from cenbench.report.verdict import Verdict

MINUS, PLUS_MINUS = "\N{MINUS SIGN}", "\N{PLUS-MINUS SIGN}"

IMPORTED = "imported"
_MOST_SEEDS = 5


def is_imported(record: CellRecord) -> bool:
    """Whether its weights were trained elsewhere."""
    return record.document.get("origin") == IMPORTED


def why_not_counted(record: CellRecord) -> str:
    """What keeps a cell's numbers from counting as one seed's: its state, or `imported`; empty if they count."""
    if record.state != "ok":
        return record.state
    return IMPORTED if is_imported(record) else ""


@dataclass(frozen=True)
class SeedNumber:
    """The number of one seed, and what keeps it from counting (`why_not_counted`)."""

    seed: int
    value: float
    note: str


@dataclass(frozen=True)
class Value:
    """One metric of one slot: the paper's number and ours, in the metric's own unit, unrounded."""

    metric: str
    paper: float | None
    ours: float | None
    """Mean over the declared seeds; None unless all of them count. Imported weights: their one number."""
    spread: float | None
    """Standard deviation over the seeds (n - 1); None with fewer than two, and for imported weights."""
    seeds: int
    """How many of the declared seeds are finished, up to date and trained here."""
    declared: int
    """How many seeds the preset declares."""
    numbers: tuple[SeedNumber, ...]
    """The number of each seed that has one, whatever its state."""
    verdict: Verdict
    stand_in: str | None
    """What replaced the paper's instrument (such as its feature extractor) in our measurement; None if nothing did."""
    best: bool = False
    missing: tuple[int, ...] = ()
    """The declared seeds that have no number."""

    @property
    def delta(self) -> float | None:
        """Ours minus the paper's; None if either is missing or the two cannot be compared."""
        if self.ours is None or self.paper is None or self.verdict.word == "not comparable":
            return None
        return self.ours - self.paper

    @property
    def paper_text(self) -> str:
        return "" if self.paper is None else number_text(self.metric, self.paper)

    @property
    def ours_text(self) -> str:
        """Mean and spread; where seeds are missing no mean, but how many count, and the number of each."""
        if self.ours is None:
            return self._single_seeds
        spread = "" if self.spread is None else f" {PLUS_MINUS} {number_text(self.metric, self.spread)}"
        imported = " (imported)" if any(number.note == IMPORTED for number in self.numbers) else ""
        return number_text(self.metric, self.ours) + spread + imported

    @property
    def _single_seeds(self) -> str:
        if not self.numbers:
            return ""
        if self.declared == 1:
            return number_text(self.metric, self.numbers[0].value)
        shown = [
            f"{number_text(self.metric, number.value)} (seed {number.seed}{f', {number.note}' if number.note else ''})"
            for number in self.numbers[:_MOST_SEEDS]
        ]
        more = ["..."] if len(self.numbers) > _MOST_SEEDS else []
        absent = [f"seed{'s' if len(self.missing) > 1 else ''} {_listed(self.missing)} missing"] if self.missing else []
        return f"{self.seeds} of {self.declared}: {', '.join([*shown, *more, *absent])}"

    @property
    def delta_text(self) -> str:
        return "" if self.delta is None else difference_text(self.metric, self.delta)


@dataclass(frozen=True)
class FilledSlot:
    """One slot of the table, filled: a value per metric, and the state of its cells."""

    row: int
    column: int
    stream: str
    state: State
    """The worst state among its cells."""
    reason: str | None
    values: tuple[Value, ...]
    cells: tuple[str, ...]
    """Ids of the cells the numbers come from, one per seed."""
    imported: bool = False
    """Whether a number comes from weights that were not trained here (`cenbench import-checkpoint`)."""
    finished: int = 0
    """How many of its cells are ok."""

    @property
    def state_text(self) -> str:
        """The state, and with several seeds how many of them are ok."""
        return self.state if len(self.cells) == 1 else f"{self.state}, {self.finished} of {len(self.cells)} seeds ok"

    @property
    def has_paper(self) -> bool:
        """Whether the paper has a number here."""
        return any(value.paper is not None for value in self.values)


def _listed(seeds: tuple[int, ...]) -> str:
    """The first seeds, and how many more there are."""
    more = [f"{len(seeds) - _MOST_SEEDS} more"] if len(seeds) > _MOST_SEEDS else []
    return ", ".join([*map(str, seeds[:_MOST_SEEDS]), *more])


def number_text(metric: str, value: float) -> str:
    return f"{value:.{metrics()[metric].decimals}f}".replace("-", MINUS)


def difference_text(metric: str, value: float, more_digits: int = 0) -> str:
    """A difference with its sign, which a rounded zero does not have, and more digits than the metric's numbers."""
    text = f"{value:+.{metrics()[metric].decimals + more_digits}f}"
    return (text if float(text) else text[1:]).replace("-", MINUS)


def heading(metric: str) -> str:
    """The heading of a metric: title, unit and an arrow for which way is better."""
    described = metrics()[metric]
    unit = f" ({described.unit})" if described.unit else ""
    if not described.is_ranked:
        return f"{described.title}{unit}"
    arrow = "\N{UPWARDS ARROW}" if described.better == "higher" else "\N{DOWNWARDS ARROW}"
    return f"{described.title}{unit} {arrow}"
