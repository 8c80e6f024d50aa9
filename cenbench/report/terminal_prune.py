"""The table of `cenbench prune`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from cenbench.report.terminal import add_row, borderless
from cenbench.schedule.prune import Leftover


def leftovers_table(leftovers: Sequence[Leftover]) -> Table:
    """One line per file or folder, the largest of each kind first, and the total."""
    table = borderless("what", ">size", "where", "kept, because")
    for kind in dict.fromkeys(leftover.kind for leftover in leftovers):
        of_kind = [leftover for leftover in leftovers if leftover.kind == kind]
        for leftover in sorted(of_kind, key=lambda leftover: -leftover.bytes):
            add_row(table, kind, size_words(leftover.bytes), leftover.path, leftover.kept or "")
    add_row(table, "total", size_words(sum(leftover.bytes for leftover in leftovers)), count_words(leftovers), "")
    return table


def count_words(leftovers: Sequence[Leftover]) -> str:
    """Their number, in words."""
    return "1 file or folder" if len(leftovers) == 1 else f"{len(leftovers):,} files and folders"


def size_words(size: int) -> str:
    """Bytes with a decimal prefix, e.g. `236.0 GB`."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} B"
