"""Draws a grid of pictures with their numbers and, for segmentation, the legend of classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cenbench.report.figures.figure import Pictures
from cenbench.report.figures.style import TEXT_WIDTH_IN

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_LEFT_IN, _TOP_IN, _GAP_IN, _TEXT_IN = 0.2, 0.2, 0.03, 0.13
_LEGEND_PER_ROW, _LEGEND_ROW_IN = 8, 0.14


def draw_pictures(pictures: Pictures) -> Canvas:
    """All tiles are as wide as the page allows; a row with numbers leaves room for them."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.patches import Patch

    columns = max(1, len(pictures.columns))
    width_in = (TEXT_WIDTH_IN - _LEFT_IN - _GAP_IN * (columns - 1)) / columns
    shape = pictures.tiles[0].picture_HW3.shape if pictures.tiles else (1, 1)
    height_in = width_in * shape[0] / shape[1]
    texts = {tile.row for tile in pictures.tiles if tile.text}
    rows_in = [height_in + (_TEXT_IN if row in texts else _GAP_IN) for row in range(len(pictures.rows))]
    legend_in = _LEGEND_ROW_IN * math.ceil(len(pictures.legend) / _LEGEND_PER_ROW) + (0.08 if pictures.legend else 0)
    total_in = _TOP_IN + sum(rows_in) + legend_in
    canvas = Canvas(figsize=(TEXT_WIDTH_IN, total_in))
    tops = [total_in - _TOP_IN - sum(rows_in[:row]) for row in range(len(rows_in))]
    lefts = [_LEFT_IN + column * (width_in + _GAP_IN) for column in range(columns)]
    for tile in pictures.tiles:
        bottom_in = tops[tile.row] - height_in
        place = (lefts[tile.column] / TEXT_WIDTH_IN, bottom_in / total_in)
        axis = canvas.add_axes((*place, width_in / TEXT_WIDTH_IN, height_in / total_in))
        axis.imshow(tile.picture_HW3, aspect="auto")
        axis.set_axis_off()
        if tile.text:
            middle = place[0] + width_in / TEXT_WIDTH_IN / 2
            canvas.text(middle, (bottom_in - 0.02) / total_in, tile.text, ha="center", va="top", fontsize=6)
    for left_in, name in zip(lefts, pictures.columns, strict=False):
        middle = (left_in + width_in / 2) / TEXT_WIDTH_IN
        canvas.text(middle, 1 - (_TOP_IN - 0.04) / total_in, name, ha="center", va="bottom", fontsize=6.5)
    for top_in, name in zip(tops, pictures.rows, strict=True):
        middle = (top_in - height_in / 2) / total_in
        canvas.text(0.01, middle, name, rotation=90, ha="left", va="center", fontsize=6)
    if pictures.legend:
        handles = [Patch(facecolor=colour, label=name) for name, colour in pictures.legend]
        canvas.legend(handles=handles, loc="lower center", ncols=_LEGEND_PER_ROW, fontsize=5.5, handlelength=0.8,
                      columnspacing=0.9, handletextpad=0.4, borderpad=0, labelspacing=0.25)  # fmt: skip
    return canvas
