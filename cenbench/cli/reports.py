"""`cenbench report` and `cenbench show`: render tables and figures from the cells' records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cenbench.cli.options import (
    Figures,
    Preset,
    Root,
    TableName,
    Tables,
    checkout,
    find_cell,
    say,
    wide_console,
)
from cenbench.errors import UserError
from cenbench.matrix.table_name import table_name
from cenbench.matrix.validation import short_repr, spelling_hint
from cenbench.visible import visible

if TYPE_CHECKING:
    from cenbench.matrix.claim_pairs import PlannedClaim
    from cenbench.matrix.plan import Plan
    from cenbench.paths import Paths
    from cenbench.records.read import CellRecord


def report(
    preset: Preset = "demo",
    table: Tables = None,
    figure: Figures = None,
    index: Annotated[
        bool, typer.Option("--index", help="Only the index and DVC's metrics, from what is rendered already.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Write the tables and figures of a preset as files, from the cells' present records. Trains nothing.

    A table becomes HTML, LaTeX, CSV and JSON; a figure HTML, PDF, PNG, CSV and JSON.

    Snakemake does this after every run; the command is for partial results.

    Example: [bold]cenbench report --preset study --table table7[/bold]

    Next: [bold]cenbench open --browser[/bold] opens the index.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.report.dataset_pages import render_datasets
    from cenbench.report.index import write_index
    from cenbench.report.pages import render_index, render_pages

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    chosen = plan.select(tables=table, figures=figure)
    tables, figures = [layout.name for layout in chosen.tables], [layout.name for layout in chosen.figures]
    if not index:
        records = records_of(paths, plan, chosen)
        claims = planned_claims(paths, plan)
        render_pages(plan, records, paths.reports, tables=tables, figures=figures, claims=claims)
        for name in (*tables, *figures):
            say(f"wrote {paths.reports / preset / name}.html")
    if tables and (index or not (table or figure)):
        datasets = (cell.dataset for name in tables for cell in plan.cells_of(name))
        render_datasets(datasets, paths.data, paths.reports / preset)
        render_index(plan, tables, paths.reports)
    else:
        write_index(paths.reports)
    say(f"wrote {paths.reports / 'index.html'}; open it in a browser")


def records_of(paths: Paths, plan: Plan, chosen: Plan) -> dict[str, CellRecord]:
    """The records that the pages of the chosen part of a plan are made of, by the cell's id."""
    from cenbench.records.read import read_record
    from cenbench.report.cell_context import related_cells

    return {cell_id: read_record(paths, cell) for cell_id, cell in related_cells(plan, chosen.cells.values()).items()}


def planned_claims(paths: Paths, plan: Plan) -> tuple[PlannedClaim, ...]:
    """The claims of the plan; none where their declaration is absent, or wrong, with a warning: pages of numbers that
    are there do not wait for it.
    """
    from cenbench.matrix.claim_pairs import plan_claims

    try:
        return plan_claims(paths.params, plan)
    except UserError as error:
        typer.echo(visible(f"cenbench: the pages are written without claims, which cannot be read: {error}"), err=True)
        return ()


def show(
    table: TableName,
    preset: Preset = "demo",
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Print the IoU of each class instead; segmentation tables only.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print it as Markdown, for issues and README files; tables only.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Print one table in the terminal, each of our numbers beside the paper's; or the numbers of one figure.

    Example: [bold]cenbench show table7 --preset study[/bold]

    Next: [bold]cenbench status[/bold] lists what is missing; [bold]cenbench report[/bold] writes the table as files.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.records.read import read_record
    from cenbench.report.figures.build import build_figure
    from cenbench.report.markdown import render_markdown
    from cenbench.report.table import build_table
    from cenbench.report.terminal_figure import render_figure_lines
    from cenbench.report.terminal_per_class import render_per_class
    from cenbench.report.terminal_table import render_terminal

    paths = checkout(root)
    is_figure = table.startswith("figure")
    if table in ("claims", "robustness"):
        raise UserError(f"{table} is not a table or figure", fix=f"cenbench {table} --preset {preset}")
    if per_class and is_figure:
        raise UserError("a figure has no IoU per class", key="--per-class", fix="cenbench show table7 --per-class")
    if markdown and (is_figure or per_class):
        what = "a figure" if is_figure else "the IoU of each class"
        raise UserError(f"{what} has no Markdown", key="--markdown", fix="cenbench show table7 --markdown")
    whole = load_plan(paths.params, preset)
    plan = whole.select(figures=[table]) if is_figure else whole.select(tables=[table])
    records = {cell_id: read_record(paths, cell) for cell_id, cell in plan.cells.items()}
    console = wide_console()
    if plan.figures:
        console.print(render_figure_lines(build_figure(preset, plan.figures[0], records)))
        return
    built = build_table(preset, plan.tables[0], records)
    if markdown:
        say(render_markdown(built))
        return
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


def open_page(
    page: Annotated[
        str,
        typer.Argument(
            metavar="PAGE",
            parser=table_name,
            help="A table or figure (table7, 7, figure5), claims, robustness, or a cell's id, as for `cenbench log`.",
        ),
    ] = "index",
    preset: Preset = "demo",
    browser: Annotated[bool, typer.Option("--browser", help="Also open the page in the default browser.")] = False,
    root: Root = Path(),
) -> None:
    """Print the path of a page of the report; if it is not there, the command that writes it.

    Example: [bold]cenbench open table7 --preset study[/bold]

    Next: open that file in a browser, for example: [bold]xdg-open $(cenbench open table7)[/bold]
    """
    import webbrowser

    from cenbench.matrix.plan import load_plan
    from cenbench.report.page_path import PAGES, cell_page, named_page

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    found = named_page(plan, paths.reports, page)
    names = (*PAGES, *plan.names)
    if found is None and ((near := spelling_hint(page, names)) or page.startswith(("table", "figure"))):
        expected = f"{', '.join(names)}, or a cell"
        raise UserError(f"preset {preset!r} has no page {short_repr(page)}", expected=expected, fix=near)
    if found is None:
        found = cell_page(plan, paths.reports, find_cell(plan, page))
    path = found.written()
    say(str(path))
    if browser and not webbrowser.open(path.as_uri()):
        raise UserError("no browser can be started here", where=path, fix="open the file on a machine that has one")
