"""`cenbench evaluate` and `cenbench robustness`: trained cells with corrupted and absent inputs."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.cells import stop
from cenbench.cli.collection import collect_as_usual
from cenbench.cli.options import CellId, Device, Json, Preset, Root, checkout, find_cell, say, wide_console
from cenbench.cpus import limit_threads


def evaluate(cell: CellId, preset: Preset = "demo", device: Device = "auto", root: Root = Path()) -> None:
    """Evaluate a trained cell once more under every condition of params/robustness.yaml. Trains nothing.

    Example: [bold]cenbench evaluate rgb+depth-to-semantic.exchange.shared-convs... --preset study[/bold]

    Next: [bold]cenbench robustness[/bold] prints the scores; [bold]snakemake robustness[/bold] evaluates all cells.
    """
    signal.signal(signal.SIGTERM, stop)
    limit_threads()  # before torch is imported
    from cenbench.matrix.plan import load_plan
    from cenbench.matrix.robustness import load_robustness
    from cenbench.run.robustness import evaluate_robustness

    paths = checkout(root)
    chosen = find_cell(load_plan(paths.params, preset), cell)
    collect_as_usual()
    evaluate_robustness(chosen, paths, load_robustness(paths.params), device)


def robustness(
    preset: Preset = "demo",
    write: Annotated[
        bool, typer.Option("--write", help="Write the page to reports/PRESET/ as HTML, LaTeX, CSV and JSON.")
    ] = False,
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Show how scores fall with corrupted and absent inputs, for the cells that are evaluated. Trains nothing.

    Example: [bold]cenbench robustness --preset study[/bold]

    Next: [bold]snakemake robustness --config preset=study[/bold] evaluates the cells that are missing.
    """
    import json

    from cenbench.matrix.plan import load_plan
    from cenbench.matrix.robustness import plan_robustness
    from cenbench.records.read import read_record
    from cenbench.records.robustness import read_robustness
    from cenbench.report.pages import render_robustness_page
    from cenbench.report.render_robustness import render_robustness_json
    from cenbench.report.robustness import build_robustness
    from cenbench.report.terminal_robustness import render_robustness

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    planned = plan_robustness(paths.params, plan)
    records = {
        cell_id: read_robustness(paths, read_record(paths, cell), planned.spec.conditions(cell))
        for cell_id, cell in planned.cells.items()
    }
    found = build_robustness(plan, planned, records)
    if write:
        render_robustness_page(plan, found, paths.reports)
        say(f"wrote {paths.reports / preset / 'robustness.html'}")
    elif as_json:
        typer.echo(json.dumps(render_robustness_json(found), indent=2))
    else:
        wide_console().print(render_robustness(found))
