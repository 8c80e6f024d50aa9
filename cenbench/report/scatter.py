"""Score against parameters: one labelled point per network, as a picture in a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import markupsafe

from cenbench.matrix.metrics import metrics
from cenbench.records.read import CellRecord
from cenbench.report.curves import axis_ticks
from cenbench.report.environment import page_templates
from cenbench.report.label_heights import Label, spread
from cenbench.report.short_names import short_row
from cenbench.report.table import Table

WIDTH, HEIGHT, LEFT, BOTTOM = 760.0, 320.0, 56.0, 40.0
_LABEL_PX = 150.0
"""Width right of the axes. A label that needs more stands left of its point."""
_LINE_PX = 13.0
_LETTER_PX = 6.8
"""Mean width of a letter of a label; a little more than that of common sans-serif faces at 11 px."""
_GAP_PX = 13.0
"""From a point to its label."""
_LEAST_RANGE = 1.02
"""Ratio of the most to the fewest parameters from which on the picture shows anything."""
_MOST_LABELS = 30


@dataclass(frozen=True)
class Point:
    """A network, in pixels of the picture; its label may be moved down so that it covers no other."""

    name: str
    label: str
    """The name, or nothing where there are too many points."""
    x: float
    y: float
    label_y: float

    @property
    def width(self) -> float:
        """That of the label."""
        return _GAP_PX + _LETTER_PX * len(self.label)

    @property
    def side(self) -> int:
        """1 for a label right of the point, -1 for one left of it: the right side has no room for it."""
        return 1 if self.x + self.width <= WIDTH else -1

    @property
    def label_x(self) -> float:
        """Where the label begins, or ends if it is left of the point."""
        return self.x + self.side * _GAP_PX

    @property
    def own_label(self) -> Label:
        """Where its label stands if it is not moved; pixels are counted downwards, heights upwards."""
        return Label(min(self.x, self.x + self.side * self.width), -self.y, self.width)


def scatter_chart(table: Table, records: Mapping[str, CellRecord]) -> markupsafe.Markup | None:
    """None where fewer than two networks are finished, or the networks hardly differ in their parameters."""
    found = list(_networks(table, records))
    sizes = [params for _, params, _, _ in found]
    if len(found) < 2 or max(sizes) < _LEAST_RANGE * min(sizes):
        return None
    x_ticks = axis_ticks(min(sizes), max(sizes))
    y_ticks = axis_ticks(min(y for _, _, y, _ in found), max(y for _, _, y, _ in found))

    def x_px(value: float) -> float:
        return round(LEFT + (value - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (WIDTH - LEFT - _LABEL_PX), 1)

    def y_px(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - BOTTOM - 24), 1)

    drawn = page_templates().get_template("scatter.html").render(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - _LABEL_PX,
        bottom=HEIGHT - BOTTOM,
        points=_labelled([(name, x_px(params), y_px(y)) for name, params, y, _ in found]),
        x_ticks=[(x_px(value), f"{value:g}") for value in x_ticks],
        y_ticks=[(y_px(value), f"{value:g}") for value in y_ticks],
        y_title=metrics()[found[0][3]].title,
    )  # fmt: skip
    return markupsafe.Markup(drawn)


def _networks(table: Table, records: Mapping[str, CellRecord]) -> Iterator[tuple[str, float, float, str]]:
    """Name, parameters in millions, score and its metric of each row, by the emphasised column."""
    layout = table.layout
    place = next((number for number, column in enumerate(layout.columns) if column.emphasised), None)
    for row in range(len(layout.rows)) if place is not None else ():
        slot = table.entry(row, place or 0)
        record = records.get(slot.cells[0]) if slot is not None else None
        params = record.numbers(slot.stream).get("params_m") if record is not None and slot is not None else None
        if slot is not None and params is not None and slot.values[0].ours is not None:
            group = (layout.rows[row].group or "").partition(":")[0]
            yield (
                ": ".join(filter(None, [group, short_row(layout, row)])),
                params,
                slot.values[0].ours,
                slot.values[0].metric,
            )


def _labelled(points: Sequence[tuple[str, float, float]]) -> list[Point]:
    """Labels from top to bottom, each at least a line below those that it would cover; none with many points."""
    falling = sorted(points, key=lambda point: point[2])
    placed = [Point(name, name if len(points) <= _MOST_LABELS else "", x, y, y) for name, x, y in falling]
    heights = spread([point.own_label for point in placed], _LINE_PX, bottom=-math.inf)
    return [replace(point, label_y=round(-height, 1)) for point, height in zip(placed, heights, strict=True)]
