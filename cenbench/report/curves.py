"""Training curves as line charts: geometry only. A template draws them and escapes their texts."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

WIDTH, HEIGHT = 460.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 8.0, 10.0, 24.0
_COLOURS = ("#1f6feb", "#d1570c", "#1a7f37", "#8250df", "#bf3989", "#57606a", "#9a6700", "#0a7ea4")
_LARGEST = 1e38
"""Of a number in a history: about the largest float32."""
_SMALLEST_RANGE = 1e-30
_DASHES = ("", "6 3", "2 2", "8 2 2 2")


@dataclass(frozen=True)
class Line:
    """One series: its name, colour, and polyline points in the chart's pixels."""

    name: str
    colour: str
    points: str
    last: str
    dash: str = ""
    """Lengths of dashes and gaps, where there are more lines than colours; empty for a solid line."""
    band: str = ""
    """Corners of its spread, in the chart's pixels; empty without one."""


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A line chart. Coordinates are pixels of a WIDTH x HEIGHT picture."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM
    x_name: str = "step"


Band = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""x, lower and upper end."""


def training_charts(columns: Mapping[str, Sequence[float]], bands: Mapping[str, Band] = {}) -> list[Chart]:
    """Charts of losses, penalty, learning rates and shares of scaling factors and channels; empty without a history.

    `columns` is a history; a line lies on its band, the `spread` of the seeds.
    """
    if not columns or not columns["step"]:
        return []
    steps = columns["step"]
    groups: dict[str, dict[str, Sequence[float]]] = {}
    for name, values in columns.items():
        if name not in ("step", "epoch"):
            groups.setdefault(_title(name), {})[name] = values
    return [chart(title, steps, series, bands=bands) for title, series in groups.items()]


def spread(columns: Collection[str], seeds: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, Band]:
    """Name of each column that varies -> one standard deviation around the mean of the seeds, at the steps all have.

    Histories of other columns than these are left out.
    """
    whole = [seed for seed in seeds if seed and seed.keys() == set(columns)]
    if len(whole) < 2:
        return {}
    length = min(len(seed["step"]) for seed in whole)
    steps = whole[0]["step"][:length]
    if any(list(seed["step"][:length]) != list(steps) for seed in whole):
        return {}
    bands: dict[str, Band] = {}
    for name in columns:
        found_SN = np.array([seed[name][:length] for seed in whole])
        if name not in ("step", "epoch") and bool((found_SN != found_SN[0]).any()):
            middle_N, width_N = found_SN.mean(axis=0), found_SN.std(axis=0, ddof=1)
            bands[name] = steps, (middle_N - width_N).tolist(), (middle_N + width_N).tolist()
    return bands


def read_history(text: str) -> dict[str, list[float]]:
    """The columns of a history.csv, `step` among them; empty if `history_problem` has something to say of it."""
    columns = _columns(text)
    return {} if _problem(columns) else columns


def history_problem(text: str) -> str:
    """Why a history.csv has no curves; empty where it has."""
    return _problem(_columns(text)) if text.strip() else "history.csv is empty, or its content is not the published one"


def _columns(text: str) -> dict[str, list[float]]:
    """Name -> values; empty if the text is not a table of numbers, or a name stands twice."""
    try:
        names, *rows = csv.reader(io.StringIO(text))
        columns = dict(zip(names, zip(*(map(float, row) for row in rows), strict=True), strict=True))
    except (ValueError, csv.Error):
        return {}
    return {name: list(column) for name, column in columns.items()} if len(columns) == len(names) else {}


def _problem(columns: Mapping[str, Sequence[float]]) -> str:
    if not columns:
        return "history.csv has no rows, or is not a table of numbers"
    if "step" not in columns:
        return "history.csv has no column step"
    odd = [name for name, values in columns.items() if not all(abs(value) <= _LARGEST for value in values)]  # or NaN
    return f"history.csv has values that are infinite, not a number or beyond float32: {', '.join(odd)}" if odd else ""


def _title(name: str) -> str:
    if name == "l1":
        return "l1 norm of the constrained scaling factors"
    if name.startswith("below_theta_"):
        return "Share of scaling factors below theta"
    if name.startswith("exchanged_"):
        return "Share of channels that are exchanged"
    if name.startswith("lr"):
        return "Learning rate"
    return "Losses"


def chart(
    title: str,
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    x_name: str = "step",
    places: Mapping[str, int] | None = None,
    from_zero: bool = True,
    bands: Mapping[str, Band] = {},
) -> Chart:
    """A chart of several series over the same x. The y axis starts at zero unless a value is negative, or, without
    `from_zero`, close to the smallest value.

    `places` numbers the series of several charts, so that each has one colour in all of them.
    """
    numbered = {name: place for place, name in enumerate(series)}
    drawn = [*series.values(), *(end for name in series if name in bands for end in bands[name][1:])]
    low, high = min(*([0.0] if from_zero else []), *map(min, drawn), min(drawn[0])), max(map(max, drawn))
    is_flat = high - low <= max(_SMALLEST_RANGE, 1e-12 * abs(low))
    y_ticks = axis_ticks(low, low + max(1.0, 1e-6 * abs(low)) if is_flat else high)
    bottom, top = y_ticks[0], max(y_ticks[-1], high)
    x_low = min(0.0, *x)
    x_high = max(*x, x_low + 1e-9 * max(1.0, abs(x_low)))

    def y_px(values: Sequence[float]) -> list[float]:
        return [HEIGHT - _BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - _TOP - _BOTTOM) for value in values]

    def outline(x: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> str:
        corners = _corners(tuple(x), x_low, x_high)
        return " ".join((*corners, *reversed(corners))) % (*y_px(upper), *reversed(y_px(lower)))

    points = " ".join(_corners(tuple(x), x_low, x_high))
    lines = tuple(
        Line(
            name.removeprefix("below_theta_").removeprefix("exchanged_").removeprefix("nll_").removeprefix("distance_"),
            _COLOURS[place % len(_COLOURS)],
            points % tuple(y_px(line)),
            f"{line[-1]:.4g}",
            _DASHES[place // len(_COLOURS) % len(_DASHES)],
            outline(*bands[name]) if name in bands else "",
        )
        for name, line in series.items()
        for place in ((places or numbered)[name],)
    )
    x_shown = [value for value in axis_ticks(x_low, x_high) if value <= x_high * (1 + 1e-9)]
    x_ticks = tuple(Tick(round(_x_px(value, x_low, x_high), 1), f"{value:g}") for value in x_shown)
    y_shown = tuple(Tick(round(at, 1), f"{value:.4g}") for at, value in zip(y_px(y_ticks), y_ticks, strict=True))
    return Chart(title, lines, x_ticks, y_shown, x_name=x_name)


def _x_px(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)


@lru_cache(64)
def _corners(x: tuple[float, ...], low: float, high: float) -> tuple[str, ...]:
    """For each x a corner of an SVG line that lacks only its y. A page has some thousand corners, most of them at the
    same steps as those of the pages before it.
    """
    return tuple(f"{_x_px(value, low, high):.1f},%.1f" for value in x)


def axis_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round values from `low` to at least `high`."""
    raw = (high - low) / about
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * (1 - 1e-9))
    first = math.floor(low / step)
    return [step * number for number in range(first, math.ceil(high / step - 1e-9) + 1)]
