"""A table of results in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from cenbench.matrix.layout import Row
from cenbench.report.table import FilledSlot, Table, Value
from cenbench.report.terminal import literal

_STYLES = {"reproduced": "green", "off": "red", "not comparable": "dim", "undecided": "", "none": ""}
_AROUND_COLUMN = 3
"""Characters that the border and the padding add to each column."""


def render_terminal(table: Table, width: int) -> RichTable:
    """Each slot as `ours (paper)`, one line per metric, for a terminal `width` characters wide.

    The caption states how the numbers were made.
    """
    layout = table.layout
    shown = RichTable(title=literal(_title(table)), caption=literal(_caption(table)))
    for name in layout.stub:
        shown.add_column(literal(name))
    for column in layout.columns:
        shown.add_column(literal(column.label), justify="right")
    headings = [literal(name) for name in (*layout.stub, *(column.label for column in layout.columns))]
    lines = [_line(table, number, row) for number, row in enumerate(layout.rows)]
    joined = _natural_width([headings, *lines]) <= width
    previous: str | None = None
    for group, numbers in groupby(range(len(lines)), key=lambda number: layout.rows[number].group):
        if group != previous:
            shown.add_section()
            shown.add_row(literal(group or "", "bold"))
            previous = group
        members = [lines[number] for number in numbers]
        for cells in [_joined(members)] if joined else members:
            shown.add_row(*cells)
    return shown


def _line(table: Table, number: int, row: Row) -> list[Text]:
    """One row of the table: its labels, then its slots."""
    slots = (table.entry(number, column) for column in range(len(table.layout.columns)))
    return [*map(literal, row.labels), *map(_slot, slots)]


def _natural_width(lines: Iterable[Sequence[Text]]) -> int:
    """Characters that the table takes if nothing wraps."""
    widest = [
        max(cell_len(part) for cell in column for part in cell.plain.split("\n")) for column in zip(*lines, strict=True)
    ]
    return 1 + sum(width + _AROUND_COLUMN for width in widest)


def _joined(lines: Sequence[Sequence[Text]]) -> list[Text]:
    """Several rows as one, which rich draws much faster and the same where nothing wraps."""
    columns: list[list[Text]] = [[] for _ in lines[0]]
    for line in lines:
        height = max(cell.plain.count("\n") for cell in line)
        for column, cell in zip(columns, line, strict=True):
            column.append(cell + "\n" * (height - cell.plain.count("\n")))
    return [Text("\n").join(column) for column in columns]


def _slot(entry: FilledSlot | None) -> Text:
    if entry is None:
        return Text("")
    lines = [_value(value) for value in entry.values if value.ours is not None]
    if entry.state != "ok":
        lines.append(Text(entry.state, style="bold red" if entry.state == "failed" else "yellow"))
    return Text("\n").join(lines)


def _value(value: Value) -> Text:
    mark = "\N{DAGGER}" if value.stand_in else ""
    paper = f" ({value.paper_text})" if value.paper is not None else ""
    style = _STYLES[value.verdict.word]
    return Text(f"{value.ours_text}{mark}{paper}", style=f"bold {style}".strip() if value.best else style)


def _title(table: Table) -> str:
    layout, shown = table.layout, table.column_metrics
    metrics = "; ".join(metrics if len(shown) == 1 else f"{columns}: {metrics}" for metrics, columns in shown.items())
    return f"Table {layout.number}. {layout.title}\n{metrics}; ours (paper)"


def _caption(table: Table) -> str:
    whys = {value.verdict.why: value.verdict.word for entry in table.entries for value in entry.values}
    incomparable = [f"{word}: {why}" for why, word in whys.items() if word == "not comparable"]
    marks = [f"\N{DAGGER} {label}" for label in table.stand_ins]
    if table.imported:
        marks.append(f"{table.imported} slots show imported weights, not trained here")
    return "\n".join([*incomparable, *marks, *table.layout.protocol_lines])
