"""The table in a terminal."""

from __future__ import annotations

from rich.table import Table as RichTable
from rich.text import Text

from cenbench.report.table import FilledSlot, Table, Value

_STYLES = {"reproduced": "green", "off": "red", "not comparable": "dim", "undecided": "", "none": ""}


def render_terminal(table: Table) -> RichTable:
    """Each slot as `ours (paper)`, a line a metric; the caption says how the numbers were made."""
    layout = table.layout
    told = table.column_metrics
    metrics = "; ".join(metrics if len(told) == 1 else f"{columns}: {metrics}" for metrics, columns in told.items())
    # Text everywhere: a plain string would be read as markup, and "[/]" in a label as a mistake in it.
    title = Text(f"Table {layout.number}. {layout.title}\n{metrics}; ours (paper)")
    shown = RichTable(title=title, caption=Text(_caption(table)))
    for name in layout.stub:
        shown.add_column(Text(name))
    for column in layout.columns:
        shown.add_column(Text(column.label), justify="right")
    group: str | None = None
    for number, row in enumerate(layout.rows):
        if row.group != group:
            group = row.group
            shown.add_section()
            shown.add_row(Text(group or "", style="bold"))
        slots = [table.entry(number, column) for column in range(len(layout.columns))]
        shown.add_row(*map(Text, row.labels), *map(_slot, slots))
    return shown


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


def _caption(table: Table) -> str:
    whys = {value.verdict.why: value.verdict.word for entry in table.entries for value in entry.values}
    said = [f"{word}: {why}" for why, word in whys.items() if word == "not comparable"]
    marks = [f"\N{DAGGER} {label}" for label in table.stand_ins]
    if table.imported:
        marks.append(f"{table.imported} slots show imported weights, not trained here")
    return "\n".join([*said, *marks, *table.layout.protocol_lines])
