"""How figures look: the paper's column, one font that every machine has, colours told apart without colour vision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT_WIDTH_IN = 5.5
"""Width of the text of a NeurIPS page, so that the PDF is included without scaling."""
INK = "#2b2b2c"
"""Colour of texts and axes; on a page, that of its text."""
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#8250df")
"""Okabe and Ito's palette without black and yellow, which vanish on a dark or a light page, and two more."""
MARKERS = ("D", "o", "s", "^", "v", "P", "X", "*")
STYLE: Mapping[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.13,
    "grid.linewidth": 0.5,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",  # text stays text: found by search, read aloud
    "svg.hashsalt": "cenbench",
    "image.interpolation": "nearest",
}
