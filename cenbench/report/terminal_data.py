"""The tables of `cenbench data` in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from cenbench.report.terminal import add_row, borderless, literal

if TYPE_CHECKING:
    from cenbench.data.official.adapter import Adapter
    from cenbench.data.statistics import ClassStatistics, ModalityStatistics, Statistics


def modalities_table(modalities: Iterable[ModalityStatistics]) -> Table:
    """One line per modality, in stored units."""
    table = borderless("modality", ">min", ">mean", ">max", ">missing", "unit")
    for modality in modalities:
        mean = "" if modality.mean is None else f"{modality.mean:.1f}"
        missing = f"{modality.missing_share:.2%}" if modality.missing_share else ""
        low, high = _number(modality.minimum), _number(modality.maximum)
        add_row(table, modality.name, low, mean, high, missing, modality.unit)
    return table


def classes_table(classes: Iterable[ClassStatistics]) -> Table:
    """One line per class: its share of the labelled pixels of each split."""
    table = borderless(">label", "class", ">train", ">val")
    for entry in classes:
        add_row(table, str(entry.label), entry.name, f"{entry.train.share:.2%}", f"{entry.val.share:.2%}")
    return table


def verify_report(statistics: Statistics) -> Group:
    """What `verify` counted: one line per missing share, then the pixels of each class."""
    lines: list[RenderableType] = [
        literal(f"{modality.name}: {modality.missing_share:.2%} of its pixels are missing")
        for modality in statistics.modalities
        if modality.missing_share is not None and modality.name != "semantic"
    ]
    if statistics.classes:
        table = borderless(">label", "class", ">pixels", ">share")
        for entry in statistics.classes:
            add_row(table, str(entry.label), entry.name, f"{entry.total.pixels:,}", f"{entry.total.share:.3%}")
        add_row(table, "", "void", f"{statistics.void.pixels:,}", f"{statistics.void.share:.3%}")
        lines += [table, literal("share: of labelled pixels; for void: of all pixels")]
    return Group(*lines)


def adapters_table(adapters: Iterable[tuple[Adapter, str]]) -> Table:
    """One line per published dataset, from pairs of its reader and what is present of it."""
    table = borderless("name", "dataset", "here", "licence")
    for adapter, state in adapters:
        add_row(table, adapter.NAME, adapter.TITLE, state, adapter.LICENCE)
    return table


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
