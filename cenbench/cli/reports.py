"""`cenbench report` and `cenbench show`: render the tables from the cells' records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root, TableName, Tables, checkout, say, wide_console
from cenbench.errors import UserError


def report(
    preset: Preset = "demo",
    table: Tables = None,
    index: Annotated[
        bool, typer.Option("--index", help="Only the index and DVC's metrics, from rendered tables.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Write the tables of a preset as HTML, LaTeX, CSV and JSON, from the cells' present records. Trains nothing.

    Snakemake does this after every run; the command is for partial results.

    Example: [bold]cenbench report --preset study --table table7[/bold]

    Next: open reports/index.html in a browser.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.records.read import read_record
    from cenbench.report.pages import render_index, render_tables

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    chosen = plan.select(tables=table)
    if not index:
        records = {cell_id: read_record(paths, cell) for cell_id, cell in chosen.cells.items()}
        render_tables(plan, [layout.name for layout in chosen.tables], records, paths.reports)
        for layout in chosen.tables:
            say(f"wrote {paths.reports / preset / layout.name}.html")
    if index or not table:
        render_index(plan, [layout.name for layout in chosen.tables], paths.reports)
        say(f"wrote {paths.reports / 'index.html'}; open it in a browser")


def show(
    table: TableName,
    preset: Preset = "demo",
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Print the IoU of each class instead; segmentation tables only.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Print one table in the terminal, each of our numbers beside the paper's.

    Example: [bold]cenbench show table7 --preset study[/bold]

    Next: [bold]cenbench status[/bold] lists what is missing; [bold]cenbench report[/bold] writes the table as files.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.records.read import read_record
    from cenbench.report.table import build_table
    from cenbench.report.terminal_per_class import render_per_class
    from cenbench.report.terminal_table import render_terminal

    paths = checkout(root)
    plan = load_plan(paths.params, preset).select(tables=[table])
    records = {cell_id: read_record(paths, cell) for cell_id, cell in plan.cells.items()}
    console = wide_console()
    built = build_table(preset, plan.tables[0], records)
    if not per_class:
        console.print(render_terminal(built, console.width))
        return
    if not built.per_class:
        raise UserError(
            f"{table} has no IoU per class",
            expected="a segmentation table, with at least one row whose seeds are all finished",
            fix=f"cenbench status --preset {preset} --table {table}",
        )
    console.print(render_per_class(built.per_class))
