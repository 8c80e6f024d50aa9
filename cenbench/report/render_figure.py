"""A figure in every format: its page, PDF and PNG for papers, CSV of every number, JSON for the index."""

from __future__ import annotations

from typing import Any

from cenbench.matrix.cell import Cell
from cenbench.matrix.figure_layout import FigureSeries
from cenbench.report.csv_text import csv_text
from cenbench.report.environment import page_templates
from cenbench.report.figures.draw import draw
from cenbench.report.figures.figure import Figure
from cenbench.report.figures.page_svg import page_svg
from cenbench.report.figures.seeds import by_network
from cenbench.report.rendered import FIGURE_FORMAT

_FEW_CELLS = 6
"""Cells of one problem that are listed openly; more of them are folded."""
_MOST_LINES = 500
"""Lines of numbers on the page; the CSV has all of them."""


def render_figure_html(figure: Figure) -> str:
    """The page: the drawing, what is missing from it, and its numbers as text."""
    lines = list(figure.lines())
    page = page_templates().get_template("figure.html")
    return page.render(
        figure=figure,
        layout=figure.layout,
        svg=page_svg(figure),
        series_networks=[(series, _networks(figure, series)) for series in figure.layout.series],
        few=_FEW_CELLS,
        lines=lines[:_MOST_LINES],
        more=max(0, len(lines) - _MOST_LINES),
        number=_number,
    )


def render_figure_pdf(figure: Figure) -> bytes:
    """For LaTeX, as wide as the text of the paper."""
    return draw(figure, "pdf")


def render_figure_png(figure: Figure) -> bytes:
    """For documents that take no PDF."""
    return draw(figure, "png")


def render_figure_csv(figure: Figure) -> str:
    """Every number that is plotted; floats read back exactly."""
    return csv_text(figure.frame())


def render_figure_json(figure: Figure) -> dict[str, Any]:
    """What the index shows of it."""
    layout = figure.layout
    return {
        "format": FIGURE_FORMAT,
        "preset": figure.preset,
        "figure": layout.name,
        "kind": layout.kind,
        "title": layout.heading,
        "caption": layout.caption,
        "states": dict(figure.states),
        "problems": [
            {"state": problem.state, "reason": problem.reason, "cells": list(problem.cells)}
            for problem in figure.problems
        ],
        "notes": list(figure.notes),
    }


def _networks(figure: Figure, series: FigureSeries) -> dict[str, list[Cell]]:
    """The cells of a series by network, under a short name: of a grid, the value of lambda."""
    networks = by_network(series.cells)
    if figure.layout.kind == "sensitivity":
        return {f"\N{GREEK SMALL LETTER LAMDA} = {cells[0].protocol.lambda_l1:g}": cells for cells in networks}
    return {cells[0].slug.rsplit(".", 1)[0]: cells for cells in networks}


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.4g}"
