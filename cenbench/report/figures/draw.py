"""Draws a figure with matplotlib: PDF and PNG for papers, SVG for pages. The same figure gives the same bytes."""

from __future__ import annotations

import io
import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from cenbench.report.figures.draw_pictures import draw_pictures
from cenbench.report.figures.figure import Curve, Figure, Panel
from cenbench.report.figures.style import COLOURS, INK, MARKERS, STYLE, TEXT_WIDTH_IN
from cenbench.report.label_heights import Label, spread

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_PANELS_PER_ROW = 3
_ROW_IN = 2.1
_EMPTY_IN = 0.5
_DASHES = ("-", "--", "-.", ":")
"""Of the first curve, the second and so on, so that one that lies under another is still seen."""
_PNG_DPI = 200
_LABEL_PT, _LETTER_PT, _LINE_PT = 5.0, 3.4, 6.5
"""From a point to its label; mean width of a letter of a label; from one label to the next below it."""
_LEGEND_LETTERS = 110
"""Letters in one line of the legend, with room for the marks."""
_WITHOUT_TIMES: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}


class _Look(NamedTuple):
    """How the curves of one label look."""

    colour: str
    marker: str
    dash: str


def draw(figure: Figure, suffix: str) -> bytes:
    """The figure as `pdf`, `png` or `svg`. PDF embeds its fonts as outlines with text (type 42)."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the user's own settings are
        mpl.rcParams.update(STYLE)
        canvas = _canvas(figure)
        buffer = io.BytesIO()
        transparent = suffix == "svg"  # on a page it lies on the page's colour
        canvas.savefig(buffer, format=suffix, dpi=_PNG_DPI, metadata=_WITHOUT_TIMES[suffix], transparent=transparent)
    return buffer.getvalue()


def _canvas(figure: Figure) -> Canvas:
    """Made without pyplot, which would keep it and look for a display."""
    from matplotlib.figure import Figure as Canvas

    if figure.pictures is not None:
        return draw_pictures(figure.pictures)
    panels = figure.panels
    columns = 2 if len(panels) == 4 else min(_PANELS_PER_ROW, max(1, len(panels)))
    rows = math.ceil(max(1, len(panels)) / columns)
    height_in = _ROW_IN * rows + 0.45 if panels else _EMPTY_IN
    canvas = Canvas(figsize=(TEXT_WIDTH_IN, height_in), layout="constrained")
    axes = canvas.subplots(rows, columns, squeeze=False)
    colours = _colours(panels)
    for place, axis in enumerate(axes.flat):
        if place < len(panels):
            _draw_panel(axis, panels[place], colours)
        else:
            axis.set_axis_off()
    if figure.is_empty:
        axes.flat[0].text(0.5, 0.5, "no finished cell", ha="center", va="center", transform=axes.flat[0].transAxes)
    handles: dict[str, Artist] = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if len(handles) > 1:
        columns = max(1, min(len(handles), 4, _LEGEND_LETTERS // (max(map(len, handles)) + 8)))
        canvas.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns)
    if any(curve.texts for panel in panels for curve in panel.curves):
        canvas.draw_without_rendering()  # only then are the places of points known
        for axis, panel in zip(axes.flat, panels, strict=False):
            _draw_labels(axis, panel, colours)
    return canvas


def _colours(panels: tuple[Panel, ...]) -> dict[str, _Look]:
    """Label -> how it looks, the same in all panels; what is emphasised has the first colour."""
    curves = [curve for panel in panels for curve in panel.curves]
    labels = dict.fromkeys(curve.label for curve in sorted(curves, key=lambda curve: not curve.emphasised))
    # One further in each round of colours, so that no two of the first 32 look alike.
    dashes = (_DASHES[(place + place // len(COLOURS)) % len(_DASHES)] for place in itertools.count())
    looks = map(_Look, itertools.cycle(COLOURS), itertools.cycle(MARKERS), dashes)
    return dict(zip(labels, looks, strict=False))


def _draw_panel(axis: Axes, panel: Panel, colours: dict[str, _Look]) -> None:
    if panel.x_log:
        axis.set_xscale("log")
    if panel.y_log:
        axis.set_yscale("log")
    for curve in panel.curves:
        _draw_curve(axis, curve, colours[curve.label])
    for line in panel.lines if panel.curves else ():
        upright = line.axis == "x"
        (axis.axvline if upright else axis.axhline)(line.at, color=INK, linewidth=0.7, linestyle=(0, (2, 2)))
        place, of = (
            ((line.at, 1), axis.get_xaxis_transform()) if upright else ((0, line.at), axis.get_yaxis_transform())
        )
        where = {"xytext": (2, -2), "va": "top"} if upright else {"xytext": (2, 2), "va": "bottom"}
        axis.annotate(line.label, place, xycoords=of, textcoords="offset points", **where)
    if panel.y_limits is not None:
        axis.set_ylim(*panel.y_limits)
    if panel.x_ticks:
        axis.set_xticks(panel.x_ticks, [f"{tick:g}" for tick in panel.x_ticks])
        axis.set_xticks([], minor=True)
        axis.margins(x=0.12)
    if panel.note:
        axis.text(0.97, 0.97, panel.note, transform=axis.transAxes, ha="right", va="top", linespacing=1.3)
    axis.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)


def _draw_labels(axis: Axes, panel: Panel, colours: dict[str, _Look]) -> None:
    """The texts of points, right of them; a thin line leads to one that had to be moved."""
    named = [
        (text, x, y, colours[curve.label].colour)
        for curve in panel.curves
        for text, x, y in zip(curve.texts, curve.x, curve.y, strict=False)
        if text
    ]
    pixels = axis.transData.transform([(x, y) for _, x, y, _ in named]) if named else ()
    scale = 72 / axis.figure.dpi  # from pixels to points
    wanted = [
        Label(scale * x + _LABEL_PT, scale * y, _LETTER_PT * len(text))
        for (text, *_), (x, y) in zip(named, pixels, strict=True)
    ]
    heights = spread(wanted, _LINE_PT, scale * axis.bbox.y0 + _LINE_PT)
    for (text, x, y, colour), label, height in zip(named, wanted, heights, strict=True):
        moved = height - label.y
        leader = {"arrowstyle": "-", "linewidth": 0.3, "color": colour, "shrinkA": 0, "shrinkB": 2}
        axis.annotate(
            text, (x, y), xytext=(_LABEL_PT, moved), textcoords="offset points", fontsize=5.5, color=colour,
            va="center", arrowprops=leader if abs(moved) > _LINE_PT / 2 else None, zorder=5,
        )  # fmt: skip


def _draw_curve(axis: Axes, curve: Curve, look: _Look) -> None:
    label, colour, marker = curve.label, look.colour, look.marker
    if curve.mark == "points":
        ends = [[y - low for y, low in zip(curve.y, curve.low, strict=True)]] if curve.low else None
        if ends is not None:
            ends.append([high - y for y, high in zip(curve.y, curve.high, strict=True)])
        size = 5 if curve.emphasised else 3.5
        joined = len({text for text in curve.texts if text}) == 0
        style = "-" if joined and len(curve.x) > 1 else "none"
        axis.errorbar(
            curve.x, curve.y, yerr=ends, fmt=marker, linestyle=style, color=colour, markersize=size, label=label,
            linewidth=0.9, elinewidth=0.7, capsize=1.5, zorder=4 if curve.emphasised else 3,
        )  # fmt: skip
        return
    width = 0.4 if curve.faint else 1.6 if curve.emphasised else 1.1
    if curve.mark == "steps":
        axis.step(curve.x, curve.y, where="mid", color=colour, linestyle=look.dash, linewidth=width, label=label)
        return
    alpha, dash = (0.6, "-") if curve.faint else (1, look.dash)
    axis.plot(curve.x, curve.y, color=colour, linestyle=dash, linewidth=width, label=label, alpha=alpha)
    if curve.low:
        axis.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
