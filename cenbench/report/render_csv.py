"""The table as CSV: one line per number, for spreadsheets and pandas."""

from __future__ import annotations

import pandas

from cenbench.report.table import Table

COLUMNS = (
    "table", "group", "row", "column", "stream", "metric", "paper", "ours", "spread", "seeds", "delta", "best",
    "state", "verdict", "why", "stand_in", "reason", "cells",
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
            numbers = {name: getattr(value, name) for name in ("metric", "paper", "ours", "spread", "seeds", "delta")}
            judged = {"best": value.best, "verdict": value.verdict.word, "why": value.verdict.why}
            lines.append({**place, **numbers, **judged, "stand_in": value.stand_in})
    return pandas.DataFrame(lines, columns=list(COLUMNS))


def render_csv(table: Table) -> str:
    return str(table_frame(table).to_csv(index=False, lineterminator="\n"))
