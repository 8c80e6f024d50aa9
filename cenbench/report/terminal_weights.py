"""The table of `cenbench weights list`."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from cenbench.pretrained.list import Listed


def weights_table(listed: Iterable[Listed], preset: str) -> Table:
    """One line a file."""
    table = Table(box=None)
    for heading in ("name", "file", "here", f"cells of {preset}", "tables", "from"):
        table.add_column(heading, overflow="fold")
    for each in listed:
        count = str(len(each.cells)) if each.cells else "none"
        table.add_row(each.asset.name, each.asset.file, each.state, count, ", ".join(each.tables), each.asset.url)
    return table
