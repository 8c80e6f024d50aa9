"""The one object that every format of a figure is rendered from: what is plotted, from which cells, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cenbench.matrix.figure_layout import FigureLayout
from cenbench.records.read import State

if TYPE_CHECKING:
    import pandas

Mark = Literal["line", "points", "steps"]
COLUMNS = ("panel", "series", "x", "y", "low", "high", "label", "cells")


@dataclass(frozen=True)
class Curve:
    """Numbers that are drawn alike: a line, points, or the outline of a histogram. Axes' units are the panel's."""

    label: str
    """Its name in the legend; curves of one name share a colour, and one entry."""
    x: tuple[float, ...]
    y: tuple[float, ...]
    mark: Mark = "line"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """Ends of the spread around each y: a band of a line, a bar of a point; empty without spread."""
    texts: tuple[str, ...] = ()
    """What is written beside each point; empty without."""
    cells: tuple[str, ...] = ()
    """Ids of the cells that the numbers are from."""
    emphasised: bool = False
    faint: bool = False
    """One of many lines that share a label, drawn thin."""


@dataclass(frozen=True)
class Line:
    """A line across a panel, at a place of its x or y axis."""

    at: float
    label: str
    axis: Literal["x", "y"] = "x"


@dataclass(frozen=True)
class Panel:
    """A pair of axes."""

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    x_log: bool = False
    y_log: bool = False
    y_limits: tuple[float, float] | None = None
    x_ticks: tuple[float, ...] = ()
    """Where the x axis has its ticks; left to the drawing if empty."""
    lines: tuple[Line, ...] = ()
    note: str = ""
    """A number that is written into the panel."""


@dataclass(frozen=True)
class Tile:
    """A picture in a grid of pictures, and the number below it."""

    row: int
    column: int
    picture_HW3: np.ndarray
    """u8; not to be changed."""
    text: str = ""
    value: float | None = None
    cell: str | None = None


@dataclass(frozen=True)
class Pictures:
    """A grid of pictures: a scene per row, or per pair of rows, and an input, output or target per column."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    tiles: tuple[Tile, ...]
    value_label: str
    """What the numbers below the pictures are."""
    legend: tuple[tuple[str, str], ...] = ()
    """(class, colour as #rrggbb)."""


@dataclass(frozen=True)
class Problem:
    """Why some cells of the figure are not in it."""

    state: State
    reason: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Drawn:
    """What a kind of figure makes of its cells."""

    panels: tuple[Panel, ...] = ()
    pictures: Pictures | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Besides those of cells that are not finished: files of theirs that cannot be read."""


@dataclass(frozen=True)
class Figure:
    """A figure with its numbers."""

    preset: str
    layout: FigureLayout
    panels: tuple[Panel, ...]
    pictures: Pictures | None
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]
    states: Mapping[State, int]
    """Number of cells in each state that occurs, worst first."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.pictures is None and not any(panel.curves for panel in self.panels)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every number that is plotted, a line per number; keys are `COLUMNS`."""
        for panel in self.panels:
            for curve in panel.curves:
                for place, (x, y) in enumerate(zip(curve.x, curve.y, strict=True)):
                    low, high = (ends[place] if ends else None for ends in (curve.low, curve.high))
                    text = curve.texts[place] if curve.texts else ""
                    yield _line(panel.title, curve.label, x, y, low, high, text, _hashes(curve.cells))
        if self.pictures is not None:
            for tile in self.pictures.tiles:
                row, column = self.pictures.rows[tile.row], self.pictures.columns[tile.column]
                if tile.value is not None:
                    label = self.pictures.value_label
                    yield _line(
                        row, column, None, tile.value, None, None, label, _hashes((tile.cell,) if tile.cell else ())
                    )

    def frame(self) -> pandas.DataFrame:
        """`lines` as a tidy frame."""
        import pandas

        return pandas.DataFrame(list(self.lines()), columns=list(COLUMNS))


def _hashes(cells: Iterable[str]) -> str:
    """The hashes at the end of the ids, which name a cell as well and are a tenth as long."""
    return " ".join(cell.rpartition(".")[2] for cell in cells)


def _line(*values: Any) -> dict[str, Any]:
    return dict(zip(COLUMNS, values, strict=True))
