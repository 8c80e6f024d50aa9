"""The table of `cenbench weights list`."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from cenbench.pretrained.list import Listed
from cenbench.report.terminal import add_row, borderless


def weights_table(listed: Iterable[Listed], preset: str) -> Table:
    """One line per file."""
    table = borderless("name", "file", "here", f"cells of {preset}", "tables", "from")
    for entry in listed:
        asset, count = entry.asset, len(entry.cells) or "none"
        add_row(table, asset.name, asset.file, entry.state, count, ", ".join(entry.tables), asset.url)
    return table
