"""IoU per class in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from cenbench.report.per_class import PerClassRow, class_names, class_text
from cenbench.report.terminal import add_row, borderless


def render_per_class(rows: Sequence[PerClassRow]) -> Table:
    """A line per slot and class, so that any number of classes fits the width of a terminal."""
    table = borderless("row", "column", "class", ">IoU (%)")
    for row in rows:
        for name in class_names([row]):
            add_row(table, row.row, row.column, name, class_text(row, name))
    return table
