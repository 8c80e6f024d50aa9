"""Tables of `cenbench data`, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

if TYPE_CHECKING:
    from cenbench.data.official.adapter import Adapter
    from cenbench.data.statistics import ClassStatistics, ModalityStatistics, Statistics


def modalities_table(modalities: Iterable[ModalityStatistics]) -> Table:
    """One line per modality, in stored units."""
    table = _table("modality", *(">" + heading for heading in ("min", "mean", "max", "missing")), "unit")
    for modality in modalities:
        mean = "" if modality.mean is None else f"{modality.mean:.1f}"
        missing = f"{modality.missing_share:.2%}" if modality.missing_share else ""
        low, high = _number(modality.minimum), _number(modality.maximum)
        table.add_row(modality.name, low, mean, high, missing, modality.unit)
    return table


def classes_table(classes: Iterable[ClassStatistics]) -> Table:
    """One line per class: its share of the labelled pixels of each split."""
    table = _table(">label", "class", ">train", ">val")
    for entry in classes:
        table.add_row(str(entry.label), entry.name, f"{entry.train.share:.2%}", f"{entry.val.share:.2%}")
    return table


def verify_report(statistics: Statistics) -> Group:
    """What `verify` counted: one line per missing share, then the pixels of each class."""
    lines: list[Table | str] = [
        f"{modality.name}: {modality.missing_share:.2%} of its pixels are missing"
        for modality in statistics.modalities
        if modality.missing_share is not None and modality.name != "semantic"
    ]
    if statistics.classes:
        table = _table(">label", "class", ">pixels", ">share")
        for entry in statistics.classes:
            table.add_row(str(entry.label), entry.name, f"{entry.total.pixels:,}", f"{entry.total.share:.3%}")
        table.add_section()
        table.add_row("", "void", f"{statistics.void.pixels:,}", f"{statistics.void.share:.3%}")
        lines += [table, "share: of labelled pixels; for void: of all pixels"]
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
