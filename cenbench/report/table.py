"""The one table object that every output is rendered from: each number with its source, state, delta and verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.metrics import metrics
from cenbench.records.read import CellRecord, State
from cenbench.report.best import best_numbers, is_best
from cenbench.report.exchange_note import exchange_notes
from cenbench.report.per_class import PerClassRow, per_class_rows
from cenbench.report.value import IMPORTED, FilledSlot, SeedNumber, Value, heading, is_imported, why_not_counted
from cenbench.report.verdict import Measured, Verdict, judge
from cenbench.stats.spread import standard_deviation

WORST_FIRST: tuple[State, ...] = ("failed", "damaged", "missing", "skipped", "stale", "ok")
NOT_JUDGED = Verdict("none", "not judged")


@dataclass(frozen=True)
class Table:
    """A table with its numbers."""

    preset: str
    layout: TableLayout
    entries: tuple[FilledSlot, ...]
    per_class: tuple[PerClassRow, ...] = ()
    """IoU per class of each output, for tables of segmentation."""
    exchange_notes: tuple[str, ...] = ()
    """What is unusual about how much the cells exchange."""

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
    found = [[records[cell.id] for cell in slot.cells] for slot in layout.slots]
    values = [_values(slot, layout, cells) for slot, cells in zip(layout.slots, found, strict=True)]
    judged = _judged(layout, values)
    entries = tuple(_entry(*parts) for parts in zip(layout.slots, found, judged, strict=True))
    notes = exchange_notes(records[cell.id] for cell in layout.cells)
    return Table(preset, layout, entries, per_class_rows(layout, records), notes)


def _entry(slot: Slot, found: Sequence[CellRecord], values: tuple[Value, ...]) -> FilledSlot:
    worst = min(found, key=lambda record: WORST_FIRST.index(record.state))
    reason = worst.reason if len(found) == 1 or worst.reason is None else f"seed {worst.cell.seed}: {worst.reason}"
    ids = tuple(cell.id for cell in slot.cells)
    imported = any(map(is_imported, found))
    finished = sum(record.state == "ok" for record in found)
    return FilledSlot(slot.row, slot.column, slot.stream, worst.state, reason, values, ids, imported, finished)


def _values(slot: Slot, layout: TableLayout, records: Sequence[CellRecord]) -> tuple[Value, ...]:
    """A value per metric of the slot, not judged yet."""
    known = [record.numbers(slot.stream) for record in records]
    return tuple(_value(slot, metric, records, known) for metric in layout.columns[slot.column].metrics)


def _value(slot: Slot, metric: str, records: Sequence[CellRecord], known: Sequence[Mapping[str, float]]) -> Value:
    """The value, not judged yet. A number that is not finite is none."""
    numbers = tuple(
        SeedNumber(record.cell.seed, values[metric], why_not_counted(record))
        for record, values in zip(records, known, strict=True)
        if metric in values and math.isfinite(values[metric])
    )
    stand_in = next((record.stand_in[metric] for record in records if metric in record.stand_in), None)
    counting = [number.value for number in numbers if not number.note]
    declared = len(records)
    ours = spread = None
    if metrics()[metric].is_cost:
        ours = statistics.fmean(number.value for number in numbers) if numbers else None
    elif len(counting) == declared:
        ours = statistics.fmean(counting)
        spread = standard_deviation(counting) if declared > 1 else None
    elif _is_one_import(numbers, declared):
        ours = numbers[0].value
    paper = slot.paper.get(metric)
    with_number = {number.seed for number in numbers}
    missing = tuple(record.cell.seed for record in records if record.cell.seed not in with_number)
    return Value(
        metric, paper, ours, spread, len(counting), declared, numbers, NOT_JUDGED, stand_in, missing=missing
    )  # fmt: skip


def _is_one_import(numbers: Sequence[SeedNumber], declared: int) -> bool:
    """Whether every seed shows the same imported weights, which are one network, however often it is evaluated."""
    one = len(numbers) == declared and all(number.note == IMPORTED for number in numbers)
    return one and len({number.value for number in numbers}) == 1


def _judged(layout: TableLayout, values: Sequence[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    """The values of each slot, judged against the paper's and with regard to all others of the table."""
    slots = list(zip(layout.slots, values, strict=True))
    verdicts = iter(judge([_measured(slot, value) for slot, own in slots for value in own], layout))
    best = best_numbers(layout, values)
    return [
        tuple(replace(value, verdict=next(verdicts), best=is_best(slot, value, layout, best)) for value in own)
        for slot, own in slots
    ]


def _measured(slot: Slot, value: Value) -> Measured:
    complete = value.seeds == value.declared
    seeds = tuple(number.value for number in value.numbers) if complete else ()
    return Measured(slot, value.metric, seeds, _why_incomplete(value), bool(value.numbers), value.stand_in)


def _why_incomplete(value: Value) -> str | None:
    if value.seeds == value.declared:
        return None
    if any(number.note == IMPORTED for number in value.numbers):
        return "imported weights are one network and were not trained here"
    return f"{value.seeds} of {value.declared} seeds have a number that counts"
