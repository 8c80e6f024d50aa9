"""The table as JSON for programs, and the two small files that DVC compares between revisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas

from cenbench.report.table import Table

FORMAT = 2


def render_json(table: Table) -> dict[str, Any]:
    """Everything that the table's page shows, as plain values."""
    layout = table.layout
    return {
        "format": FORMAT,
        "preset": table.preset,
        "table": layout.name,
        "title": layout.title,
        "caption": layout.caption,
        "metrics": list(layout.metrics),
        "columns": [column.label for column in layout.columns],
        "rows": [{"group": row.group, "labels": list(row.labels)} for row in layout.rows],
        "states": table.states,
        "entries": [asdict(entry) for entry in table.entries],
        "per_class": [asdict(row) for row in table.per_class],
        "footers": list(layout.footers),
        "protocol": list(layout.protocol_lines),
    }


def metrics_document(tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Table -> row -> column -> metric -> our mean, for `dvc metrics diff`."""
    document: dict[str, Any] = {}
    for table in tables:
        for entry in table["entries"]:
            row = table["rows"][entry["row"]]
            named = " ".join([*([row["group"]] if row["group"] else []), *row["labels"]])
            column = table["columns"][entry["column"]]
            numbers = {value["metric"]: value["ours"] for value in entry["values"] if value["ours"] is not None}
            if numbers:
                document.setdefault(table["table"], {}).setdefault(_key(named), {})[_key(column)] = numbers
    return document


def plots_frame(tables: Sequence[dict[str, Any]]) -> pandas.DataFrame:
    """One line per number, ours beside the paper's, for `dvc plots`."""
    lines = [
        {
            "table": table["table"],
            "row": " / ".join([*filter(None, [row["group"]]), *row["labels"]]),
            "column": table["columns"][entry["column"]],
            "metric": value["metric"],
            "paper": value["paper"],
            "ours": value["ours"],
        }
        for table in tables
        for entry in table["entries"]
        for row in [table["rows"][entry["row"]]]
        for value in entry["values"]
    ]
    return pandas.DataFrame(lines, columns=["table", "row", "column", "metric", "paper", "ours"])


def _key(text: str) -> str:
    """A label without dots, which DVC takes as separators of nested keys."""
    return text.replace(".", ",")
