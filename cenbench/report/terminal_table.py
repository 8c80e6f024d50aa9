"""A table of results in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table as RichTable
from rich.text import Text

from cenbench.matrix.layout import Row
from cenbench.report.table import Table
from cenbench.report.table_notes import notes_text
from cenbench.report.terminal import literal
from cenbench.report.value import FilledSlot, Value
from cenbench.visible import visible

_STYLES = {"reproduced": "green", "off": "red", "not comparable": "dim", "inconclusive": "", "none": ""}
_AROUND_COLUMN = 3
"""Characters that the border and the padding add to each column."""
_BETWEEN_COLUMNS = 2
"""Characters between two columns without borders."""
_LONGEST_NUMBER = 16
"""Characters up to which a line is not broken, such as `101.86 ± 0.45`; longer are the lists of seeds."""
_Cell = Sequence[tuple[str, str]]
"""The lines of a cell, each with its style."""


def render_terminal(table: Table, width: int) -> RichTable:
    """Each slot as `ours (paper)`, one line per metric, for a terminal `width` characters wide.

    Where that is too wide, the paper's numbers have lines of their own, and the table has no borders. The caption
    states how the numbers were made.
    """
    layout = table.layout
    rows = [_cells(table, number, row, one_line=True) for number, row in enumerate(layout.rows)]
    headings = [*layout.stub, *(column.label for column in layout.columns)]
    fits = _natural_width([[[(name, "")] for name in headings], *rows]) <= width
    shown = RichTable(title=literal(title_text(table)), caption=literal(notes_text(table)))
    if not fits:
        rows = [_cells(table, number, row, one_line=False) for number, row in enumerate(layout.rows)]
        shown.box, shown.show_edge, shown.pad_edge, shown.collapse_padding = box.SIMPLE_HEAD, False, False, True
    least = [None] * len(headings) if fits else _least_widths(headings, rows, width)
    for place, name in enumerate(headings):
        justify: JustifyMethod = "left" if place < len(layout.stub) else "right"
        # not an ellipsis, which would make two groups look alike
        shown.add_column(literal(name), justify=justify, overflow="fold", min_width=least[place])
    previous: str | None = None
    for group, numbers in groupby(range(len(rows)), key=lambda number: layout.rows[number].group):
        if group != previous:
            shown.add_section()
            shown.add_row(literal(group or "", "bold"))
            previous = group
        members = [rows[number] for number in numbers]
        if fits:
            shown.add_row(*_columns(members))
        else:
            for row in members:
                shown.add_row(*map(_text, row))
    return shown


def _least_widths(headings: Sequence[str], rows: Sequence[Sequence[_Cell]], width: int) -> Sequence[int | None]:
    """For each column the width at which no number and no word is broken; none where these do not fit together."""
    words = [max(map(cell_len, visible(name).split()), default=0) for name in headings]
    lines = [[text for row in rows for text, _ in row[place]] for place in range(len(headings))]
    least = [
        max([word, *(cell_len(text) for text in texts if len(text) <= _LONGEST_NUMBER)])
        for word, texts in zip(words, lines, strict=True)
    ]
    return least if sum(least) + _BETWEEN_COLUMNS * (len(least) - 1) <= width else [None] * len(least)


def _cells(table: Table, number: int, row: Row, *, one_line: bool) -> list[_Cell]:
    """One row of the table: its labels, then its slots, each number on one line with the paper's or not."""
    slots = (table.entry(number, column) for column in range(len(table.layout.columns)))
    return [*([(visible(label), "")] for label in row.labels), *(_slot(slot, one_line) for slot in slots)]


def _natural_width(rows: Iterable[Sequence[_Cell]]) -> int:
    """Characters that the table takes if nothing wraps."""
    columns = zip(*rows, strict=True)
    widest = (max((cell_len(text) for cell in column for text, _ in cell), default=0) for column in columns)
    return 1 + sum(width + _AROUND_COLUMN for width in widest)


@dataclass(frozen=True)
class _Column:
    """The lines of a column that fit its width, so that none has to wrap: drawn three times as fast as a `Text`."""

    lines: Sequence[tuple[str, str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, style in self.lines:
            space = Segment(" " * (options.max_width - cell_len(text)))
            shown = Segment(text, console.get_style(style) if style else None)
            yield from (space, shown) if options.justify == "right" else (shown, space)
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widest = max((cell_len(text) for text, _ in self.lines), default=0)
        return Measurement(widest, widest)


def _columns(rows: Sequence[Sequence[_Cell]]) -> list[_Column]:
    """The rows as one object per column: drawing several at once is faster, and looks the same if nothing wraps."""
    columns: list[list[tuple[str, str]]] = [[] for _ in rows[0]]
    for row in rows:
        height = max(1, *map(len, row))
        for column, cell in zip(columns, row, strict=True):
            column += [*cell, *[("", "")] * (height - len(cell))]
    return [_Column(lines) for lines in columns]


def _text(cell: _Cell) -> Text:
    """A cell whose lines wrap where they are too long."""
    return Text("\n").join(Text(text, style) for text, style in cell)


def _slot(entry: FilledSlot | None, one_line: bool) -> _Cell:
    if entry is None:
        return []
    lines = [line for value in entry.values if value.numbers for line in _value(value, one_line)]
    if entry.state != "ok" and not (lines and entry.state == "missing"):  # numbers count the missing seeds themselves
        lines.append((entry.state_text, "bold red" if entry.state in ("failed", "damaged") else "yellow"))
    return lines


def _value(value: Value, one_line: bool) -> list[tuple[str, str]]:
    ours = value.ours_text + ("\N{DAGGER}" if value.stand_in else "")
    paper = [] if value.paper is None else [f"({value.paper_text})"]
    style = _STYLES[value.verdict.word]
    lines = [" ".join([ours, *paper])] if one_line else [ours, *paper]
    return [(line, f"bold {style}".strip() if value.best else style) for line in lines]


def title_text(table: Table) -> str:
    """Heading and metrics of the table, on two lines."""
    layout, shown = table.layout, table.column_metrics
    metrics = "; ".join(metrics if len(shown) == 1 else f"{columns}: {metrics}" for metrics, columns in shown.items())
    return f"{layout.heading}\n{metrics}; ours (paper)"
