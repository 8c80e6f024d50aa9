"""Score against parameters: one point per network, as a picture in a page."""

from __future__ import annotations

import markupsafe

from cenbench.matrix.metrics import metrics
from cenbench.report.curves import axis_ticks
from cenbench.report.environment import page_templates
from cenbench.report.sides import row_name
from cenbench.report.table import Table

WIDTH, HEIGHT, LEFT, BOTTOM = 640.0, 300.0, 56.0, 40.0
_LEAST_RANGE = 1.02
"""Ratio of the most to the fewest parameters from which on the picture shows anything."""


def scatter_chart(table: Table) -> markupsafe.Markup | None:
    """None where the table does not show parameters, or the networks hardly differ in them."""
    layout = table.layout
    place = next((n for n, column in enumerate(layout.columns) if column.emphasised), None)
    points = []
    for number, row in enumerate(layout.rows):
        slot = None if place is None else table.entry(number, place)
        numbers = {
            value.metric: value.ours
            for column in range(len(layout.columns))
            if (entry := table.entry(number, column)) is not None
            for value in entry.values
            if value.ours is not None
        }
        if slot is not None and slot.values[0].ours is not None and "params_m" in numbers:
            points.append((row_name(row), numbers["params_m"], slot.values[0].ours, slot.values[0].metric))
    if not points or max(x for _, x, _, _ in points) < _LEAST_RANGE * min(x for _, x, _, _ in points):
        return None
    x_ticks = axis_ticks(min(x for _, x, _, _ in points), max(x for _, x, _, _ in points))
    y_ticks = axis_ticks(min(y for _, _, y, _ in points), max(y for _, _, y, _ in points))

    def x_px(value: float) -> float:
        return round(LEFT + (value - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (WIDTH - LEFT - 12), 1)

    def y_px(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - BOTTOM - 12), 1)

    drawn = page_templates().get_template("scatter.html").render(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        bottom=HEIGHT - BOTTOM,
        points=[(label, x_px(x), y_px(y)) for label, x, y, _ in points],
        x_ticks=[(x_px(value), f"{value:g}") for value in x_ticks],
        y_ticks=[(y_px(value), f"{value:g}") for value in y_ticks],
        y_title=metrics()[points[0][3]].title,
    )  # fmt: skip
    return markupsafe.Markup(drawn)
