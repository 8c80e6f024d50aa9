"""A figure in a terminal: every number that it draws, and the cells that are not in it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from cenbench.report.figures.figure import Figure
from cenbench.report.terminal import add_row, borderless, literal


def render_figure_lines(figure: Figure) -> RenderableType:
    """One line per number; lines that are drawn faint, such as those of single channels, are only counted."""
    table = borderless("panel", "series", ">x", ">y", ">low", ">high", "label", title=figure.layout.heading)
    faint = {curve.label for panel in figure.panels for curve in panel.curves if curve.faint}
    hidden = 0
    for line in figure.lines():
        if line["series"] in faint:
            hidden += 1
            continue
        numbers = [_number(line[name]) for name in ("x", "y", "low", "high")]
        add_row(table, line["panel"], line["series"], *numbers, line["label"])
    lines = [f"{hidden:,} numbers of single channels are in the figure's CSV"] if hidden else []
    lines += [f"{problem.state}: {len(problem.cells)} cells, {problem.reason}" for problem in figure.problems]
    return Group(table, Text(), *map(literal, (*figure.notes, *lines)))


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.4g}"
