"""The summary of `cenbench results frame`: one line per table of the preset."""

from __future__ import annotations

import pandas
from rich.table import Table

from cenbench.report.terminal import add_row, borderless


def summary_table(summary: pandas.DataFrame) -> Table:
    """`summary` is `cenbench.records.frame.summary`: a count per column."""
    table = borderless("table", *(f">{heading}" for heading in summary.columns))
    for name, counts in summary.iterrows():
        add_row(table, name, *counts)
    return table
