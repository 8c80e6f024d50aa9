"""`cenbench plan` and `cenbench run`: the cells of a preset, and running one of them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cenbench.cli.collection import collect_as_usual
from cenbench.cli.options import CellId, Device, Figures, Preset, Root, Tables, checkout, find_cell, say, wide_console
from cenbench.cpus import limit_threads
from cenbench.errors import Stopped


def plan(
    preset: Preset = "demo",
    table: Tables = None,
    figure: Figures = None,
    task: Annotated[str | None, typer.Option(help="Only this task, e.g. 'rgb+depth->semantic'. Default: all.")] = None,
    method: Annotated[str | None, typer.Option(help="Only this fusion method, e.g. exchange. Default: all.")] = None,
    cells: Annotated[
        str | None, typer.Option(help="Only ids that match this glob, e.g. '*l1-half*'. Default: all.")
    ] = None,
    targets: Annotated[
        bool, typer.Option("--targets", help="Print only the cells' files, as targets for snakemake.")
    ] = False,
    price: Annotated[
        float | None, typer.Option(help="Price of one GPU-hour or CPU-hour. Default: the preset's, if it has one.")
    ] = None,
    root: Root = Path(),
) -> None:
    """List the cells of a preset: the tables and figures that show each one, its steps and time. Trains nothing.

    Without filters it also lists what each claim of params/claims.yaml needs, and what robustness costs.

    Example: [bold]cenbench plan --preset study --table table7[/bold]

    Next: [bold]snakemake all_tables --config preset=study[/bold] runs them all;
    [bold]snakemake $(cenbench plan --table table7 --targets)[/bold] runs the listed ones.
    """
    from cenbench.matrix.claim_pairs import plan_claims
    from cenbench.matrix.plan import load_plan
    from cenbench.matrix.robustness import plan_robustness
    from cenbench.paths import record_target
    from cenbench.report.terminal_claims import render_needs
    from cenbench.report.terminal_plan import render_plan
    from cenbench.report.terminal_robustness import robustness_cost_line
    from cenbench.schedule.step_times import read_step_times

    paths = checkout(root)
    chosen = load_plan(paths.params, preset).select(tables=table, figures=figure, task=task, method=method, glob=cells)
    if price is not None:
        chosen = chosen.priced(price)
    if targets:
        say("\n".join(record_target(cell) for cell in chosen.cells.values()))
        return
    console = wide_console()
    times = read_step_times(chosen, paths)
    console.print(render_plan(chosen, times))
    if not any((table, figure, task, method, cells)):
        claims = plan_claims(paths.params, chosen)
        extra = {cell.id: cell for claim in claims if claim.spec.under for cell in claim.cells}
        say(robustness_cost_line(chosen, plan_robustness(paths.params, chosen).with_cells(extra), times))
        console.print("", render_needs(claims))


def run(
    cell: CellId,
    preset: Preset = "demo",
    device: Device = "auto",
    wait: Annotated[bool, typer.Option("--wait", help="If another process is running this cell, wait for it.")] = False,
    root: Root = Path(),
) -> None:
    """Train one cell, evaluate it and publish its record. If interrupted, rerun the command to resume.

    Example: [bold]cenbench run rgb+depth-to-semantic.exchange.shared-convs... --device cuda[/bold]

    Next: [bold]cenbench show table7[/bold] prints a table that shows the cell.
    """
    signal.signal(signal.SIGTERM, stop)
    limit_threads()  # before torch is imported
    from cenbench.matrix.plan import load_plan
    from cenbench.records.registration import register
    from cenbench.run.cell import run_cell

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    chosen = find_cell(plan, cell)
    register(paths, plan)
    collect_as_usual()
    run_cell(chosen, paths, device, wait=wait)


def stop(*_: object) -> NoReturn:
    """For SIGTERM outside training, which saves its state first."""
    raise Stopped("stopped by SIGTERM; the interrupted step starts over in the next run")
