"""The table of `cenbench weights list`."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from cenbench.pretrained.list import Listed
from cenbench.report.terminal import add_row, borderless


def weights_table(listed: Iterable[Listed], preset: str) -> Table:
    """One line per file, and per network that is trained here."""
    table = borderless("name", "file", "here", f"cells of {preset}", "tables", "from")
    for entry in listed:
        count = len(entry.cells) or "none"
        add_row(table, entry.name, entry.file, entry.words, count, ", ".join(entry.tables), entry.source)
    return table
