"""Arranges a table for the width of a paper's column or page: type size, space, and panels one below the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from cenbench.report.latex_columns import NumberColumn, by_column, by_metric, head_lines
from cenbench.report.latex_width import longest_word_pt, text_pt, widest_pt
from cenbench.report.short_names import SHORT_LABELS
from cenbench.report.table import Table

Span = Literal["column", "page"]
"""`table`: one column of a paper in two columns. `table*`: the whole width, of one or two columns."""
WIDTH_PT: dict[Span, float] = {"column": 236.0, "page": 397.0}
"""The narrowest columns in use (ICML, CVPR: 237 pt), and NeurIPS's text width."""
_SETTINGS = (("footnotesize", 3.0), ("scriptsize", 3.0), ("scriptsize", 2.0))
"""Size of type (8 pt and 7 pt in a document of 10 pt) and space on each side of a column, the most readable first."""
_LINE_PT = {"footnotesize": 9.5, "scriptsize": 8.0}
_TALLEST_PT = 520.0
"""Of the tabulars of one float; the caption and the note come on top."""
_WIDEST_LABEL = 0.34
"""Share of the width that one column of labels may take before its texts wrap."""


@dataclass(frozen=True)
class Panel:
    """Some columns of numbers, with the row labels before them."""

    columns: tuple[NumberColumn, ...]
    width_pt: float
    height_pt: float


@dataclass(frozen=True)
class Arrangement:
    """How a table is set."""

    size: str
    space_pt: float
    labels: tuple[tuple[str, ...], ...]
    """The labels of each row, abbreviated where that is needed."""
    wraps_pt: tuple[float | None, ...]
    """Width of each column of row labels where its texts wrap; None where they fit on one line."""
    floats: tuple[tuple[Panel, ...], ...]
    """The panels of each float; one panel in one float if everything fits side by side."""


def arrange(table: Table, columns: Sequence[NumberColumn], span: Span) -> Arrangement:
    """The largest type with which everything fits side by side; otherwise panels, in the smallest."""
    for short in (False, True):
        for size, space in _SETTINGS:
            for share in (1.0, _WIDEST_LABEL):
                made = _Setting(table, size, space, short, share * WIDTH_PT[span])
                if made.width_pt(columns) <= WIDTH_PT[span]:
                    return made.arranged([columns])
    panels: list[list[NumberColumn]] = []
    for group in by_column(columns):
        for block in [group] if made.width_pt(group) <= WIDTH_PT[span] else by_metric(group):
            if panels and made.width_pt([*panels[-1], *block]) <= WIDTH_PT[span]:
                panels[-1].extend(block)
            else:
                panels.append(list(block))
    return made.arranged(panels)


class _Setting:
    """One try: a size of type, the space around columns, and the widest column of labels."""

    def __init__(self, table: Table, size: str, space_pt: float, short: bool, widest_label_pt: float) -> None:
        self.table, self.size, self.space_pt = table, size, space_pt
        layout = table.layout
        rows = [row.labels for row in layout.rows]
        self.labels = tuple(tuple(SHORT_LABELS.get(label, label) for label in row) for row in rows) if short else rows
        heads = layout.short_stub or layout.stub
        full = [
            widest_pt([heads[place], *(row[place] for row in self.labels)], size) for place in range(len(layout.stub))
        ]
        self.label_pt = [min(width, widest_label_pt) for width in full]
        self.wraps_pt = tuple(
            None if width <= widest_label_pt else kept for width, kept in zip(full, self.label_pt, strict=True)
        )

    def width_pt(self, columns: Sequence[NumberColumn]) -> float:
        """Width of a tabular with the labels and these columns."""
        widths = {id(one): one.width_pt(self.size) for one in columns}
        for line in reversed(head_lines(self.table, columns)):
            for text, group in line:
                inside = sum(widths[id(one)] for one in group) + 2 * self.space_pt * (len(group) - 1)
                widths[id(group[-1])] += max(0.0, longest_word_pt(text, self.size) - inside)
        places = len(self.label_pt) + len(columns)
        return sum(self.label_pt) + sum(widths.values()) + 2 * self.space_pt * places

    def height_pt(self, columns: Sequence[NumberColumn]) -> float:
        """Height of the tabular, rules included."""
        width = self.width_pt(columns)
        lines = len(head_lines(self.table, columns))
        for row in self.labels:
            wrapped = (
                math.ceil(1.2 * text_pt(label, self.size) / limit)
                for label, limit in zip(row, self.wraps_pt, strict=True)
                if limit is not None
            )
            lines += max(1, *wrapped, 1)
        groups = [label for label, _ in groupby(row.group for row in self.table.layout.rows)]
        lines += sum(math.ceil(1.1 * text_pt(label, self.size, bold=True) / width) for label in groups if label)
        return lines * _LINE_PT[self.size] + 8.0 * (len(groups) + 3)

    def arranged(self, panels: Sequence[Sequence[NumberColumn]]) -> Arrangement:
        """The panels, in as many floats as they need by their height."""
        floats: list[list[Panel]] = []
        for columns in panels:
            panel = Panel(tuple(columns), self.width_pt(columns), self.height_pt(columns))
            if floats and sum(one.height_pt for one in floats[-1]) + panel.height_pt <= _TALLEST_PT:
                floats[-1].append(panel)
            else:
                floats.append([panel])
        return Arrangement(
            self.size, self.space_pt, tuple(map(tuple, self.labels)), self.wraps_pt, tuple(map(tuple, floats))
        )
