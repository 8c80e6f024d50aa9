"""The notes below a table in plain text, for the terminal and for Markdown."""

from __future__ import annotations

from cenbench.report.table import Table


def notes_text(table: Table) -> str:
    """What its numbers may be compared with, what its marks mean, and how the numbers were made."""
    whys = {value.verdict.why: value.verdict.word for entry in table.entries for value in entry.values}
    incomparable = [f"{word}: {why}" for why, word in whys.items() if word == "not comparable"]
    marks = [f"\N{DAGGER} {label}" for label in table.stand_ins]
    if table.imported:
        marks.append(f"{table.imported} slots show imported weights, not trained here")
    return "\n".join([*incomparable, *marks, *table.exchange_notes, *table.layout.protocol_lines])
