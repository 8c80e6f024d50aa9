"""The summary of `cenbench results frame`: one line per table of the preset."""

from __future__ import annotations

import pandas
from rich.table import Table


def summary_table(summary: pandas.DataFrame) -> Table:
    """`summary` is `cenbench.records.frame.summary`: a count per column."""
    table = Table(box=None)
    table.add_column("table")
    for heading in summary.columns:
        table.add_column(str(heading), justify="right")
    for name, counts in summary.iterrows():
        table.add_row(str(name), *(str(count) for count in counts))
    return table
