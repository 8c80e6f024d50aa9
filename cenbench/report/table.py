"""The one table object that every output is rendered from: each number with its source, state, delta and verdict."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.records.read import CellRecord, State
from cenbench.report.agreement import agreeing_pairs
from cenbench.report.verdict import Verdict, judge

WORST_FIRST: tuple[State, ...] = ("failed", "missing", "skipped", "stale", "ok")
_Key = TypeVar("_Key", bound=Hashable)
MINUS, PLUS_MINUS = "\N{MINUS SIGN}", "\N{PLUS-MINUS SIGN}"


@dataclass(frozen=True)
class Value:
    """One metric of one slot: the paper's number and ours, in the metric's own unit, unrounded."""

    metric: str
    paper: float | None
    ours: float | None
    """Mean over the seeds that have a number."""
    spread: float | None
    """Standard deviation over those seeds (n - 1); None with fewer than two."""
    seeds: int
    """How many seeds have a number."""
    verdict: Verdict
    stand_in: str | None
    """What replaced the paper's instrument (such as its feature extractor) in our measurement; None if nothing did."""
    best: bool = False

    @property
    def delta(self) -> float | None:
        """Ours minus the paper's; None if either is missing, or if a stand-in measured ours on another scale."""
        if self.ours is None or self.paper is None or self.stand_in is not None:
            return None
        return self.ours - self.paper

    @property
    def paper_text(self) -> str:
        return "" if self.paper is None else _number(self.metric, self.paper)

    @property
    def ours_text(self) -> str:
        if self.ours is None:
            return ""
        spread = "" if self.spread is None else f" {PLUS_MINUS} {_number(self.metric, self.spread)}"
        return _number(self.metric, self.ours) + spread

    @property
    def delta_text(self) -> str:
        if self.delta is None:
            return ""
        text = _number(self.metric, self.delta)
        return text if text.startswith(MINUS) else f"+{text}"


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

    @property
    def has_paper(self) -> bool:
        """Whether the paper has a number here."""
        return any(value.paper is not None for value in self.values)


@dataclass(frozen=True)
class Ordering:
    """How many pairs the paper's numbers rank, and how many of them our numbers rank the same way."""

    metric: str
    where: str
    agree: int
    pairs: int


@dataclass(frozen=True)
class Table:
    """A table with its numbers."""

    preset: str
    layout: TableLayout
    entries: tuple[FilledSlot, ...]
    orderings: tuple[Ordering, ...]

    def entry(self, row: int, column: int) -> FilledSlot | None:
        """The filled slot at a row and column; None if the table has none there."""
        return self._entry_at.get((row, column))

    @cached_property
    def _entry_at(self) -> Mapping[tuple[int, int], FilledSlot]:
        return {(entry.row, entry.column): entry for entry in self.entries}

    @property
    def states(self) -> dict[State, int]:
        """Number of slots in each state that occurs, worst first."""
        counts = {state: sum(entry.state == state for entry in self.entries) for state in WORST_FIRST}
        return {state: count for state, count in counts.items() if count}

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The stand-in instruments that occur, each once."""
        labels = (value.stand_in for entry in self.entries for value in entry.values if value.stand_in)
        return tuple(dict.fromkeys(labels))

    @property
    def imported(self) -> int:
        """Number of slots that show weights not trained here."""
        return sum(entry.imported for entry in self.entries)

    @property
    def column_metrics(self) -> dict[str, str]:
        """Headings of metrics -> labels of the columns that show them; a single entry if all columns show the same."""
        shown: dict[str, list[str]] = {}
        for column in self.layout.columns:
            shown.setdefault(" / ".join(map(heading, column.metrics)), []).append(column.label)
        return {metrics: ", ".join(labels) for metrics, labels in shown.items()}

    @property
    def troubles(self) -> dict[str, State]:
        """Why slots are not ok: reason -> state, each reason once."""
        return {entry.reason: entry.state for entry in self.entries if entry.reason}


def build_table(preset: str, layout: TableLayout, records: Mapping[str, CellRecord]) -> Table:
    """Fill the layout from the cells' records (id -> record, for at least every cell of the layout)."""
    entries = _with_best([_entry(slot, layout, records) for slot in layout.slots], layout)
    return Table(preset, layout, tuple(entries), tuple(_orderings(layout, entries)))


def _entry(slot: Slot, layout: TableLayout, records: Mapping[str, CellRecord]) -> FilledSlot:
    found = [records[cell.id] for cell in slot.cells]
    worst = min(found, key=lambda record: WORST_FIRST.index(record.state))
    reason = worst.reason if len(found) == 1 or worst.reason is None else f"seed {worst.cell.seed}: {worst.reason}"
    numbers = [record.numbers(slot.stream) for record in found]
    metrics_shown = layout.columns[slot.column].metrics
    values = tuple(_value(slot, layout.number, metric, found, numbers) for metric in metrics_shown)
    ids = tuple(cell.id for cell in slot.cells)
    imported = any(record.document.get("origin") == "imported" for record in found)
    return FilledSlot(slot.row, slot.column, slot.stream, worst.state, reason, values, ids, imported)


def _value(
    slot: Slot, table: int, metric: str, records: Sequence[CellRecord], known: Sequence[Mapping[str, float]]
) -> Value:
    numbers = [values[metric] for values in known if metric in values]
    ours = statistics.fmean(numbers) if numbers else None
    spread = statistics.stdev(numbers) if len(numbers) > 1 and not metrics()[metric].is_cost else None
    stand_in = next((record.stand_in[metric] for record in records if metric in record.stand_in), None)
    paper = slot.paper.get(metric)
    verdict = judge(
        slot.cells[0],
        table=table,
        metric=metric,
        paper=paper,
        ours=ours,
        spread=spread,
        stand_in=stand_in,
        paper_data=slot.paper_data,
    )
    return Value(metric, paper, ours, spread, len(numbers), verdict, stand_in)


def _with_best(entries: Sequence[FilledSlot], layout: TableLayout) -> list[FilledSlot]:
    """Mark the best number of each column within a group of rows, where at least two numbers compete."""
    rivals: dict[tuple[str | None, int, int], list[float]] = {}
    for entry in entries:
        for place, value in enumerate(entry.values):
            if value.ours is not None:
                rivals.setdefault((layout.rows[entry.row].group, entry.column, place), []).append(value.ours)
    best = {
        (group, column, place): _best(layout.columns[column].metrics[place], numbers)
        for (group, column, place), numbers in rivals.items()
    }
    return [
        replace(
            entry,
            values=tuple(
                replace(value, best=_is_best(value, best.get((layout.rows[entry.row].group, entry.column, place))))
                for place, value in enumerate(entry.values)
            ),
        )
        for entry in entries
    ]


def _best(metric: str, numbers: Sequence[float]) -> float | None:
    """The best of the numbers; None for a single one, and for a cost: the leanest network is not the best one."""
    if len(numbers) < 2 or metrics()[metric].is_cost:
        return None
    return max(numbers) if metrics()[metric].better == "higher" else min(numbers)


def _is_best(value: Value, best: float | None) -> bool:
    return best is not None and value.ours == best


def _orderings(layout: TableLayout, entries: Sequence[FilledSlot]) -> Iterator[Ordering]:
    for where, line in _compared(layout, entries):
        known: dict[str, list[tuple[float, float]]] = {}
        for entry in line:
            for value in entry.values:
                if value.paper is not None and value.ours is not None:
                    known.setdefault(value.metric, []).append((value.paper, value.ours))
        for metric in layout.metrics:
            agree, pairs = agreeing_pairs(known.get(metric, ()))
            if pairs:
                yield Ordering(metric, where, agree, pairs)


def _compared(layout: TableLayout, entries: Sequence[FilledSlot]) -> Iterator[tuple[str, list[FilledSlot]]]:
    """Slots whose networks are compared with each other, under a name: within a group if every slot is a network of its
    own, down a column if each row is one network, and otherwise along a row.
    """
    rows = layout.rows
    if len({entry.cells for entry in entries}) == len(entries):
        by_group = _grouped(entries, lambda entry: rows[entry.row].group)
        for group in dict.fromkeys(row.group for row in rows):
            yield group or "the table", by_group.get(group, [])
    elif all(len({entry.cells for entry in row}) == 1 for row in _grouped(entries, lambda entry: entry.row).values()):
        by_column = _grouped(entries, lambda entry: entry.column)
        for number, column in enumerate(layout.columns):
            yield column.label, by_column.get(number, [])
    else:
        by_row = _grouped(entries, lambda entry: entry.row)
        for number, row in enumerate(rows):
            yield " / ".join([*([row.group] if row.group else []), *row.labels]), by_row.get(number, [])


def _grouped(entries: Iterable[FilledSlot], key: Callable[[FilledSlot], _Key]) -> dict[_Key, list[FilledSlot]]:
    groups: dict[_Key, list[FilledSlot]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return groups


def _number(metric: str, value: float) -> str:
    return f"{value:.{metrics()[metric].decimals}f}".replace("-", MINUS)


def heading(metric: str) -> str:
    """The heading of a metric: title, unit and an arrow for which way is better."""
    described = metrics()[metric]
    unit = f" ({described.unit})" if described.unit else ""
    if described.is_cost:
        return f"{described.title}{unit}"
    arrow = "\N{UPWARDS ARROW}" if described.better == "higher" else "\N{DOWNWARDS ARROW}"
    return f"{described.title}{unit} {arrow}"
