"""The one table object every output is rendered from: each number with its source, state, delta and verdict."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.metrics.inputs.network import network_costs
from cenbench.records.read import CellRecord, State
from cenbench.report.verdict import Verdict, judge

WORST_FIRST: tuple[State, ...] = ("failed", "missing", "skipped", "stale", "ok")
MINUS, PLUS_MINUS = "\N{MINUS SIGN}", "\N{PLUS-MINUS SIGN}"


@dataclass(frozen=True)
class Value:
    """One metric of one slot: the paper's number and ours. Numbers are in the metric's own unit, not rounded."""

    metric: str
    paper: float | None
    ours: float | None
    """Mean over the seeds that have a number."""
    spread: float | None
    """Standard deviation over those seeds (n - 1); None for fewer than two."""
    seeds: int
    """How many seeds have a number."""
    verdict: Verdict
    stand_in: str | None
    """What the number was measured with instead of the paper's instrument; None where it is the paper's."""
    best: bool = False

    @property
    def delta(self) -> float | None:
        """Ours minus the paper's; None where ours is of another instrument, whose scale has nothing to do with it."""
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
    """One slot of the table, filled: a value a metric, and how its cells stand."""

    row: int
    column: int
    stream: str
    state: State
    """The worst of its cells' states."""
    reason: str | None
    values: tuple[Value, ...]
    cells: tuple[str, ...]
    """Ids of the cells the numbers come from, one a seed."""
    imported: bool = False
    """Whether a number is of weights that were not trained here (`cenbench import-checkpoint`)."""

    @property
    def has_paper(self) -> bool:
        """Whether the paper has a number here."""
        return any(value.paper is not None for value in self.values)


@dataclass(frozen=True)
class Ordering:
    """How many of the pairs that the paper orders come out in the paper's order here."""

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
        """The filled slot there; None where the table has none."""
        return next((each for each in self.entries if (each.row, each.column) == (row, column)), None)

    @property
    def states(self) -> dict[State, int]:
        """How many slots are in each state that occurs, worst first."""
        counts = {state: sum(entry.state == state for entry in self.entries) for state in WORST_FIRST}
        return {state: count for state, count in counts.items() if count}

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Each stand-in instrument that occurs, once."""
        labels = (value.stand_in for entry in self.entries for value in entry.values if value.stand_in)
        return tuple(dict.fromkeys(labels))

    @property
    def imported(self) -> int:
        """How many slots show weights that were not trained here."""
        return sum(entry.imported for entry in self.entries)

    @property
    def column_metrics(self) -> dict[str, str]:
        """What is shown where: headings of metrics -> the columns that have them; one entry where all columns agree."""
        shown: dict[str, list[str]] = {}
        for column in self.layout.columns:
            shown.setdefault(" / ".join(map(heading, column.metrics)), []).append(column.label)
        return {metrics: ", ".join(labels) for metrics, labels in shown.items()}

    @property
    def troubles(self) -> dict[str, State]:
        """What keeps slots from being ok: reason -> state, each once."""
        return {entry.reason: entry.state for entry in self.entries if entry.reason}


def build_table(preset: str, layout: TableLayout, records: Mapping[str, CellRecord]) -> Table:
    """Fill the layout from the cells' records (id -> record; every cell of the layout must be there)."""
    entries = [_entry(slot, layout, records) for slot in layout.slots]
    entries = [_with_best(entry, entries, layout) for entry in entries]
    return Table(preset, layout, tuple(entries), tuple(_orderings(layout, entries)))


def _entry(slot: Slot, layout: TableLayout, records: Mapping[str, CellRecord]) -> FilledSlot:
    found = [records[cell.id] for cell in slot.cells]
    worst = min(found, key=lambda record: WORST_FIRST.index(record.state))
    reason = worst.reason if len(found) == 1 or worst.reason is None else f"seed {worst.cell.seed}: {worst.reason}"
    values = tuple(_value(slot, layout.number, metric, found) for metric in layout.columns[slot.column].metrics)
    ids = tuple(cell.id for cell in slot.cells)
    imported = any(record.document.get("origin") == "imported" for record in found)
    return FilledSlot(slot.row, slot.column, slot.stream, worst.state, reason, values, ids, imported)


def _numbers(record: CellRecord, stream: str) -> dict[str, float]:
    """metric -> number: what was measured of this output, and what the network costs."""
    return {**record.metrics.get(stream, {}), **network_costs(record.document.get("parameters", {}))}


def _value(slot: Slot, table: int, metric: str, records: Sequence[CellRecord]) -> Value:
    numbers = [known[metric] for record in records if metric in (known := _numbers(record, slot.stream))]
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


def _with_best(entry: FilledSlot, entries: Sequence[FilledSlot], layout: TableLayout) -> FilledSlot:
    """Mark the best of a column, within a group of rows; only where there is something to be better than."""
    group = layout.rows[entry.row].group
    rivals = [each for each in entries if each.column == entry.column and layout.rows[each.row].group == group]
    values = []
    for place, value in enumerate(entry.values):
        numbers = [other for each in rivals if (other := each.values[place].ours) is not None]
        pick = max if metrics()[value.metric].better == "higher" else min
        # What a network costs is no contest: the leanest is not the best.
        contest = not metrics()[value.metric].is_cost and len(numbers) > 1
        best = contest and value.ours is not None and value.ours == pick(numbers)
        values.append(replace(value, best=best))
    return replace(entry, values=tuple(values))


def _orderings(layout: TableLayout, entries: Sequence[FilledSlot]) -> Iterator[Ordering]:
    for name, line in _compared(layout, entries):
        for metric in layout.metrics:
            known = [
                (value.paper, value.ours)
                for entry in line
                for value in entry.values
                if value.metric == metric and value.paper is not None and value.ours is not None
            ]
            pairs = [(a, b) for i, a in enumerate(known) for b in known[i + 1 :] if a[0] != b[0]]
            agree = sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in pairs)
            if pairs:
                yield Ordering(metric, name, agree, len(pairs))


def _compared(layout: TableLayout, entries: Sequence[FilledSlot]) -> Iterator[tuple[str, list[FilledSlot]]]:
    """Networks that are held against each other: a column where a row is one network, a row where a column of its group
    is one, a whole group where every slot is a network of its own.
    """
    if len({entry.cells for entry in entries}) == len(entries):
        for group in dict.fromkeys(row.group for row in layout.rows):
            yield group or "the table", [entry for entry in entries if layout.rows[entry.row].group == group]
    elif _row_is_one_network(entries):
        for column, heading in enumerate(layout.columns):
            yield heading.label, [entry for entry in entries if entry.column == column]
    else:
        for number, row in enumerate(layout.rows):
            name = " / ".join([*([row.group] if row.group else []), *row.labels])
            yield name, [entry for entry in entries if entry.row == number]


def _row_is_one_network(entries: Sequence[FilledSlot]) -> bool:
    ordered = sorted(entries, key=lambda entry: entry.row)
    return all(a.cells == b.cells for a, b in pairwise(ordered) if a.row == b.row)


def _number(metric: str, value: float) -> str:
    return f"{value:.{metrics()[metric].decimals}f}".replace("-", MINUS)


def heading(metric: str) -> str:
    """How a metric is headed: its title, unit and which way is better."""
    described = metrics()[metric]
    unit = f" ({described.unit})" if described.unit else ""
    if described.is_cost:
        return f"{described.title}{unit}"
    arrow = "\N{UPWARDS ARROW}" if described.better == "higher" else "\N{DOWNWARDS ARROW}"
    return f"{described.title}{unit} {arrow}"
