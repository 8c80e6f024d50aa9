"""The table as JSON for programs, and the two small files that DVC compares between revisions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas
from pydantic_core import to_jsonable_python

from cenbench.files import digest
from cenbench.report.rendered import TABLE_FORMAT
from cenbench.report.table import Table

_LONGEST = 80
"""Characters of a label in a file name: two of them and a number fit the 255 bytes that file systems allow."""


def render_json(table: Table) -> dict[str, Any]:
    """Everything that the table's page shows, as plain values."""
    layout = table.layout
    return {
        "format": TABLE_FORMAT,
        "preset": table.preset,
        "table": layout.name,
        "title": layout.title,
        "caption": layout.caption,
        "metrics": list(layout.metrics),
        "columns": [column.label for column in layout.columns],
        "rows": [{"group": row.group, "labels": list(row.labels)} for row in layout.rows],
        "states": table.states,
        "entries": to_jsonable_python(table.entries),
        "per_class": to_jsonable_python(table.per_class),
        "footers": list(layout.footers),
        "protocol": list(layout.protocol_lines),
    }


def metric_files(tables: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """`table7/ROW.COLUMN.json` -> metric -> our mean, for `dvc metrics`: it shows one line per file, and one column per
    name in any of them.
    """
    files: dict[str, dict[str, float]] = {}
    for table in tables:
        groups = list(dict.fromkeys(row["group"] for row in table["rows"]))
        for entry in table["entries"]:
            row = table["rows"][entry["row"]]
            group = [f"{groups.index(row['group']) + 1}"] if len(groups) > 1 else []
            name = f"{file_name(' '.join([*group, *row['labels']]))}.{file_name(table['columns'][entry['column']])}"
            numbers = {value["metric"]: value["ours"] for value in entry["values"] if value["ours"] is not None}
            if numbers:
                files[_unused(f"{table['table']}/{name}", files)] = numbers
    return files


def file_name(label: str) -> str:
    """A label with only characters that are plain in file names; a long one is cut, and ends in a digest of it all."""
    plain = re.sub(r"[^A-Za-z0-9_+]+", "-", label).strip("-") or "-"
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 9]}-{digest(label)[:8]}"


def _unused(name: str, files: Mapping[str, Any]) -> str:
    """The file's name; with a number where an earlier row has the same labels."""
    names = (f"{name}.json", *(f"{name}-{number}.json" for number in range(2, len(files) + 3)))
    return next(one for one in names if one not in files)


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
