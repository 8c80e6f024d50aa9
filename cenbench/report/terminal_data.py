"""Tables of `cenbench data`, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

if TYPE_CHECKING:
    from cenbench.data.check_values import Values
    from cenbench.data.official.adapter import Adapter
    from cenbench.data.statistics import ClassShare, ModalityStatistics


def modalities_table(modalities: Iterable[ModalityStatistics]) -> Table:
    """One line a modality, in stored units."""
    table = _table("modality", *(">" + heading for heading in ("min", "mean", "max", "missing")), "unit")
    for each in modalities:
        mean = "" if each.mean is None else f"{each.mean:.1f}"
        missing = f"{each.missing_share:.2%}" if each.missing_share else ""
        table.add_row(each.name, _number(each.least), mean, _number(each.most), missing, each.unit)
    return table


def classes_table(classes: Iterable[ClassShare]) -> Table:
    """One line a class: its share of the labelled pixels of each split."""
    table = _table(">label", "class", ">train", ">val")
    for each in classes:
        table.add_row(str(each.label), each.name, f"{each.train:.2%}", f"{each.val:.2%}")
    return table


def values_report(values: Values) -> Group:
    """What `verify` counted: missing shares a line each, then the histogram of classes."""
    lines: list[Table | str] = [
        f"{name}: {share:.2%} of its pixels are missing" for name, share in values.missing.items()
    ]
    if values.classes:
        table = _table(">label", "class", ">pixels", ">share")
        for each in values.classes:
            table.add_row(str(each.label), each.name, f"{each.pixels:,}", f"{each.share:.3%}")
        table.add_section()
        table.add_row("", "void", f"{values.void_pixels:,}", f"{values.void_share:.3%}")
        lines += [table, "share: of the labelled pixels; of void: of all pixels"]
    return Group(*lines)


def adapters_table(adapters: Iterable[tuple[Adapter, str]]) -> Table:
    """One line a published dataset: (its reader, what of it is here)."""
    table = _table("name", "dataset", "here", "licence")
    for adapter, state in adapters:
        table.add_row(adapter.NAME, adapter.TITLE, state, adapter.LICENCE)
    return table


def _table(*headings: str) -> Table:
    """Columns; `>` before a heading: right-aligned."""
    table = Table()
    for heading in headings:
        table.add_column(heading.removeprefix(">"), justify="right" if heading.startswith(">") else "left")
    return table


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
