"""A cell's number beside those of its other seeds, and of the other rows or columns of a table that shows it."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cenbench.matrix.metrics import metrics as all_metrics
from cenbench.records.read import CellRecord
from cenbench.report.cell_context import CellContext, CellPlace
from cenbench.report.value import PLUS_MINUS, difference_text, number_text, why_not_counted


@dataclass(frozen=True)
class Line:
    """One line of either list; texts are empty where there is no number."""

    name: str
    cell_id: str
    state: str
    numbers: tuple[str, ...]
    papers: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    """Its number minus this cell's."""
    command: str = ""
    """Compares the two in detail; empty for this cell, and for one without numbers."""


@dataclass(frozen=True)
class Siblings:
    """The lines of one table for one output."""

    table: str
    stream: str
    metrics: tuple[str, ...]
    lines: tuple[Line, ...]
    """Those with a number, and this cell."""
    without: tuple[Line, ...]
    """Those without any number yet."""
    has_papers: bool


@dataclass(frozen=True)
class Seeds:
    """The seeds of one network, with the mean of an output over them once all count."""

    stream: str
    metrics: tuple[str, ...]
    lines: tuple[Line, ...]
    means: tuple[str, ...]
    counted: int


def siblings(context: CellContext, cell_id: str, records: Mapping[str, CellRecord], preset: str) -> list[Siblings]:
    """A list per table that shows the cell, for its ensemble, or the last output that the table shows of it."""
    last: dict[str, CellPlace] = {}
    for place in context.places:
        if place.table not in last or last[place.table].stream != "ensemble":
            last[place.table] = place
    return [_siblings(place, cell_id, records, preset) for place in last.values() if len(place.siblings) > 1]


def _siblings(place: CellPlace, cell_id: str, records: Mapping[str, CellRecord], preset: str) -> Siblings:
    own = _numbers(records.get(cell_id), place.stream)
    numbers = [_numbers(records.get(sibling.cell_id), sibling.stream) for sibling in place.siblings]
    metrics = tuple(metric for metric in place.metrics if any(metric in found for found in numbers))
    lines = []
    for sibling, found in zip(place.siblings, numbers, strict=True):
        is_this = sibling.cell_id == cell_id
        pairs = [(metric, own.get(metric), found.get(metric)) for metric in metrics]
        command = f"cenbench compare {_hash(cell_id)} {_hash(sibling.cell_id)} --preset {preset}"
        lines.append(
            Line(
                sibling.name,
                sibling.cell_id,
                _state(records.get(sibling.cell_id)),
                _ours(records.get(sibling.cell_id), found, metrics),
                tuple(_text(metric, sibling.paper.get(metric)) for metric in metrics),
                tuple(
                    "" if is_this or a is None or b is None else difference_text(metric, b - a)
                    for metric, a, b in pairs
                ),
                "" if is_this or not found else command,
            )
        )
    shown = tuple(line for line in lines if line.cell_id == cell_id or any(line.numbers))
    without = tuple(line for line in lines if line not in shown)
    papers = any(text for line in shown for text in line.papers)
    return Siblings(place.table, place.stream, metrics, shown, without, papers)


def seeds_stream(context: CellContext, record: CellRecord) -> str:
    """The output whose numbers the list of seeds shows."""
    return context.places[-1].stream if context.places else record.cell.streams[-1]


def seeds(
    ids: Mapping[int, str], stream: str, shown: Collection[str], records: Mapping[str, CellRecord]
) -> Seeds | None:
    """The numbers of every seed, the same on the page of each; None for a cell that has no other.

    `ids` is seed -> cell id, `shown` the metrics that tables show of the cell; if there are none, all are listed.
    """
    if len(ids) < 2:
        return None
    numbers = {cell_id: _numbers(records.get(cell_id), stream) for cell_id in ids.values()}
    measured = {metric for found in numbers.values() for metric in found}
    measured &= set(shown) or measured
    measured = {metric for metric in measured if not all_metrics()[metric].is_cost}  # equal for all seeds
    metrics = tuple(metric for metric in all_metrics() if metric in measured)
    lines = tuple(
        Line(
            f"seed {seed}",
            cell_id,
            _state(records.get(cell_id)),
            _ours(records.get(cell_id), numbers[cell_id], metrics),
        )
        for seed, cell_id in ids.items()
    )
    counting = [id_ for id_ in ids.values() if id_ in records and not why_not_counted(records[id_])]
    means: tuple[str, ...] = ()
    if len(counting) == len(ids):
        means = tuple(_mean(metric, [found.get(metric) for found in numbers.values()]) for metric in metrics)
    return Seeds(stream, metrics, lines, means, len(counting))


def _mean(metric: str, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return ""
    spread = statistics.stdev(known)
    return f"{number_text(metric, statistics.mean(known))} {PLUS_MINUS} {number_text(metric, spread)}"


def _numbers(record: CellRecord | None, stream: str) -> Mapping[str, float]:
    return {} if record is None else record.numbers(stream)


def _ours(record: CellRecord | None, numbers: Mapping[str, float], metrics: Sequence[str]) -> tuple[str, ...]:
    """Measured numbers, marked where a stand-in measured them."""
    stand_in = {} if record is None else record.stand_in
    texts = ((metric, _text(metric, numbers.get(metric))) for metric in metrics)
    return tuple(f"{text}\N{DAGGER}" if text and metric in stand_in else text for metric, text in texts)


def _state(record: CellRecord | None) -> str:
    return "missing" if record is None else record.state


def _text(metric: str, value: float | None) -> str:
    return "" if value is None else number_text(metric, value)


def _hash(cell_id: str) -> str:
    return cell_id.rpartition(".")[2]
