"""`cenbench report` and `cenbench show`: render what the cells' files say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root, wide_console


def report(
    preset: Preset = "demo",
    table: Annotated[list[str] | None, typer.Option(help="Only this table (repeatable); all by default.")] = None,
    index: Annotated[bool, typer.Option(help="Only the index, and metrics for DVC, of rendered tables.")] = False,
    root: Root = Path(),
) -> None:
    """Write the pages, LaTeX, CSV and JSON of the tables, from the cells' files as they are. Trains nothing."""
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.records.read import read_record
    from cenbench.report.pages import render_index, render_tables

    paths = Paths(root)
    plan = load_plan(paths.params, preset)
    chosen = plan.select(tables=table)
    if not index:
        records = {cell_id: read_record(paths, cell) for cell_id, cell in chosen.cells.items()}
        render_tables(plan, [layout.name for layout in chosen.tables], records, paths.reports)
        for layout in chosen.tables:
            typer.echo(f"{paths.reports / preset / layout.name}.html is written")
    if index or not table:
        render_index(plan, [layout.name for layout in chosen.tables], paths.reports)
        typer.echo(f"{paths.reports / 'index.html'} is written; open it in a browser")


def show(
    table: Annotated[str, typer.Argument(help="A table of the preset, e.g. table7.")],
    preset: Preset = "demo",
    root: Root = Path(),
) -> None:
    """Print one table to the terminal, with the paper's numbers beside ours."""
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.records.read import read_record
    from cenbench.report.table import build_table
    from cenbench.report.terminal_table import render_terminal

    paths = Paths(root)
    plan = load_plan(paths.params, preset).select(tables=[table])
    records = {cell_id: read_record(paths, cell) for cell_id, cell in plan.cells.items()}
    wide_console().print(render_terminal(build_table(preset, plan.tables[0], records)))
