"""Texts where space is short: a network's name as U/U · half · exchange, the first sentence of a text."""

from __future__ import annotations

from itertools import groupby

from cenbench.matrix.layout import TableLayout

SHORT_LABELS = {"Unshared": "U", "Shared": "S", "Half-channel": "half", "All-channel": "all"}


def short_row(layout: TableLayout, row: int) -> str:
    """The labels of a row: sharing abbreviated, `yes` by its heading, empty ones left out."""
    named = []
    for heading, label in zip(layout.stub, layout.rows[row].labels, strict=True):
        if label == "yes":
            named.append(heading.lower())
        elif label not in ("-", ""):
            named.append(SHORT_LABELS.get(label, label))
    words = groupby(named, key=lambda label: label in ("U", "S"))
    return " · ".join(text for letters, group in words for text in (["/".join(group)] if letters else group)) or "-"


def first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."
