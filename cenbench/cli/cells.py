"""`cenbench plan` and `cenbench run`: what is to be run, and running one cell of it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cenbench.cli.options import Preset, Root, wide_console
from cenbench.errors import Stopped


def plan(
    preset: Preset = "demo",
    table: Annotated[list[str] | None, typer.Option(help="Only cells of this table, e.g. table7 (repeatable).")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task, e.g. 'rgb+depth->semantic'.")] = None,
    method: Annotated[str | None, typer.Option(help="Only this fusion method, e.g. exchange.")] = None,
    cells: Annotated[str | None, typer.Option(help="Only cell ids that match this glob, e.g. '*l1-half*'.")] = None,
    targets: Annotated[bool, typer.Option(help="Print file targets for snakemake, nothing else.")] = False,
    root: Root = Path(),
) -> None:
    """List the cells, which tables share them, and what each would cost. Trains nothing."""
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.report.terminal_plan import render_plan
    from cenbench.schedule.step_times import read_step_times

    paths = Paths(root)
    chosen = load_plan(paths.params, preset).select(tables=table, task=task, method=method, glob=cells)
    if targets:
        typer.echo("\n".join(f"results/cells/{cell_id}/metrics.json" for cell_id in chosen.cells))
        return
    wide_console().print(render_plan(chosen, read_step_times(chosen, paths)))


def run(
    cell: Annotated[str, typer.Argument(help="The cell's id, as `cenbench plan` prints it.")],
    preset: Preset = "demo",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: CUDA where it is.")] = "auto",
    wait: Annotated[bool, typer.Option(help="Where another run of this cell is at work, wait for it.")] = False,
    root: Root = Path(),
) -> None:
    """Train one cell, evaluate it, publish its record. Interrupted at any point, the same command continues."""
    signal.signal(signal.SIGTERM, _stop)
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.run.cell import run_cell

    paths = Paths(root)
    run_cell(load_plan(paths.params, preset).cell(cell), paths, device, wait=wait)


def _stop(*_: object) -> NoReturn:
    """For SIGTERM outside of training, which saves its state first."""
    raise Stopped("asked to stop; what was being done is done again next time")
