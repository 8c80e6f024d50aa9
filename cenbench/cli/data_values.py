"""What `cenbench data verify` counted, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

if TYPE_CHECKING:
    from cenbench.data.check_values import Values


def values_table(values: Values) -> Group:
    """Missing shares a line each, then the histogram of classes."""
    lines: list[Table | str] = [
        f"{name}: {share:.2%} of its pixels are missing" for name, share in values.missing.items()
    ]
    if values.classes:
        lines += [_classes(values), "share: of the labelled pixels; of void: of all pixels"]
    return Group(*lines)


def _classes(values: Values) -> Table:
    table = Table()
    for heading in ("class", "name", "pixels", "share"):
        table.add_column(heading, justify="left" if heading == "name" else "right")
    for each in values.classes:
        table.add_row(str(each.label), each.name, f"{each.pixels:,}", f"{each.share:.3%}")
    table.add_section()
    table.add_row("", "void", f"{values.void_pixels:,}", f"{values.void_share:.3%}")
    return table
