"""The table as CSV: one line per number, for spreadsheets and pandas."""

from __future__ import annotations

import pandas

from cenbench.report.csv_text import csv_text
from cenbench.report.table import Table
from cenbench.report.value import Value

COLUMNS = (
    "table", "group", "row", "column", "stream", "metric", "paper", "ours", "spread", "seeds", "declared", "numbers",
    "delta", "best", "state", "verdict", "why", "expected_low", "expected_high", "margin", "stand_in", "reason",
    "cells",
)  # fmt: skip


def table_frame(table: Table) -> pandas.DataFrame:
    """One line per metric of a slot; numbers are unrounded, and empty if there is none."""
    lines = []
    for entry in table.entries:
        row = table.layout.rows[entry.row]
        place = {
            "table": table.layout.name,
            "group": row.group,
            "row": " / ".join(row.labels),
            "column": table.layout.columns[entry.column].label,
            "stream": entry.stream,
            "state": entry.state,
            "reason": entry.reason,
            "cells": " ".join(entry.cells),
        }
        for value in entry.values:  # noqa: PD011 - a tuple, not a data frame
            plain = ("metric", "paper", "ours", "spread", "seeds", "declared", "delta", "best", "stand_in")
            seeds = " ".join(f"{number.seed}:{number.value!r}" for number in value.numbers)
            lines.append(
                {**place, **{name: getattr(value, name) for name in plain}, "numbers": seeds, **_judged(value)}
            )
    return pandas.DataFrame(lines, columns=list(COLUMNS))


def _judged(value: Value) -> dict[str, object]:
    verdict = value.verdict
    low, high = verdict.interval or (None, None)
    return {
        "verdict": verdict.word,
        "why": verdict.why,
        "expected_low": low,
        "expected_high": high,
        "margin": verdict.margin,
    }


def render_csv(table: Table) -> str:
    return csv_text(table_frame(table))
