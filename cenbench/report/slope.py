"""Slope charts: the order of a table's networks in the paper against their order here. Geometry only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from cenbench.matrix.metrics import metrics
from cenbench.report.short_names import short_row
from cenbench.report.table import Table
from cenbench.report.value import FilledSlot, Value

WIDTH, LEFT, RIGHT = 900.0, 330.0, 570.0
STEP, TOP = 26.0, 44.0
_FEWEST, _MOST = 3, 20


@dataclass(frozen=True)
class SlopeLine:
    """One network: where it stands in the paper's order and in ours."""

    paper: str
    ours: str
    y_paper: float
    y_ours: float
    best: bool
    """Whether it is the best in the paper."""


@dataclass(frozen=True)
class SlopeChart:
    title: str
    lines: tuple[SlopeLine, ...]
    height: float


def slope_charts(table: Table) -> list[SlopeChart]:
    """One chart for each group of networks with at least three numbers of ours beside the paper's."""
    return [_chart(title, points) for title, points in _groups(table) if _FEWEST <= len(points) <= _MOST]


_Point = tuple[str, Value]


def _groups(table: Table) -> Iterator[tuple[str, list[_Point]]]:
    """Title -> label and number of what is ranked against each other."""
    layout = table.layout
    if layout.ranked == "columns":
        for group, rows in groupby(range(len(layout.rows)), key=lambda row: layout.rows[row].group):
            row = list(rows)[-1]  # the ensemble
            slots = [table.entry(row, column) for column in range(len(layout.columns))]
            points = [
                (column.head, value)
                for column, value in zip(layout.columns, map(_both, slots), strict=True)
                if value is not None
            ]
            yield ", ".join([*filter(None, [group]), *layout.rows[row].labels]), points
        return
    place = next((n for n, column in enumerate(layout.columns) if column.emphasised), 0)
    for group, rows in groupby(range(len(layout.rows)), key=lambda row: layout.rows[row].group):
        points = [
            (short_row(layout, row), value) for row in rows if (value := _both(table.entry(row, place))) is not None
        ]
        yield ", ".join([*filter(None, [group]), layout.columns[place].label]), points


def _both(slot: FilledSlot | None) -> Value | None:
    value = slot.values[0] if slot else None
    return value if value and value.ours is not None and value.paper is not None else None


def _chart(title: str, points: Sequence[_Point]) -> SlopeChart:
    metric = points[0][1].metric
    sign = -1 if metrics()[metric].better == "higher" else 1
    by_paper = sorted(range(len(points)), key=lambda place: sign * (points[place][1].paper or 0.0))
    by_ours = sorted(range(len(points)), key=lambda place: sign * (points[place][1].ours or 0.0))
    lines = tuple(
        SlopeLine(
            f"{label}  {value.paper_text}",
            f"{value.ours_text}  {label}",
            TOP + STEP * by_paper.index(place),
            TOP + STEP * by_ours.index(place),
            place == by_paper[0],
        )
        for place, (label, value) in enumerate(points)
    )
    return SlopeChart(title, lines, TOP + STEP * len(points))
