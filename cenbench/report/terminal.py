"""What all terminal tables share: columns without borders, and text that a terminal shows but does not act on."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from cenbench.visible import visible


def literal(text: object, style: str = "") -> Text:
    """Text shown as it is: `[bold]` is not markup, and hidden characters become `?`."""
    return Text(visible(str(text)), style=style)


def borderless(*headings: str, title: str | None = None) -> Table:
    """A table with these columns; `>` before a heading aligns its column to the right. Long texts wrap."""
    table = Table(box=None, pad_edge=False, title=None if title is None else literal(title), title_justify="left")
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(
            heading.removeprefix(">"), justify="right" if right else "left", overflow="fold", no_wrap=right
        )
    return table


def add_row(table: Table, *values: object) -> None:
    """Add a row of texts, each shown literally."""
    table.add_row(*(value if isinstance(value, Text) else literal(value) for value in values))
