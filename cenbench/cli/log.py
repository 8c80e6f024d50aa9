"""`cenbench log`: what a cell's run has printed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cenbench.cli.options import CellId, Preset, Root, checkout, find_cell, say
from cenbench.visible import visible

if TYPE_CHECKING:
    from cenbench.schedule.status import CellStatus


def log(
    cell: CellId,
    preset: Preset = "demo",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing until the cell has ended; Ctrl-C quits.")
    ] = False,
    every_run: Annotated[
        bool, typer.Option("--all", help="Print the log of every run of its training, not only of its last run.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Print the log of a cell's last run; with --follow, its lines as they are written.

    Example: [bold]cenbench log rgb+depth-to-semantic.exchange.shared-convs... --follow[/bold]

    Next: [bold]cenbench status[/bold] shows the state of every cell.
    """
    from cenbench.errors import UserError
    from cenbench.matrix.plan import load_plan
    from cenbench.schedule.cell_log import all_runs, follow_run, last_run
    from cenbench.schedule.status import all_ended, cell_status

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    chosen = find_cell(plan, cell)
    if follow and every_run:
        raise UserError("--follow and --all exclude each other", key="--follow", fix="leave one of them out")

    def now() -> CellStatus:
        return cell_status(plan, paths, chosen, time.time())

    if not follow:
        lines = all_runs(paths, chosen) if every_run else last_run(paths, chosen)
        if not lines:
            raise UserError(
                "this cell has no log: it has not run here",
                where=paths.run_log(chosen),
                key=chosen.id,
                fix=f"run it: cenbench run '{chosen.id}' --preset {preset}",
            )
        say("\n".join(lines))
        return
    first = now()
    if first.state not in ("running", "stopped") and not all_ended([first]):
        typer.echo(f"waiting for {chosen.id}: {first.state}; Ctrl-C quits", err=True)
    try:
        for line in follow_run(paths, chosen, lambda: all_ended([now()])):
            say(line)
    except KeyboardInterrupt:
        return  # the usual way to leave
    last = now()
    typer.echo(visible(f"{chosen.id}: {last.state}" + (f": {last.reason}" if last.reason else "")), err=True)
