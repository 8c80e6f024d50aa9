"""`cenbench status`: the state of every cell."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cenbench.cli.options import Figures, Json, Preset, Root, Tables, checkout, say, wide_console

if TYPE_CHECKING:
    from cenbench.matrix.plan import Plan
    from cenbench.schedule.status import CellStatus

REFRESH_S = 2.0


def status(
    preset: Preset = "demo",
    table: Tables = None,
    figure: Figures = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until every cell has ended; Ctrl-C quits.")] = False,
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Show the state and progress of every cell, and what remains. Reads files only, so no controller is needed.

    Tables and figures of which nothing was started are only named, unless an
    option names them, or nothing was started at all.

    Example: [bold]cenbench status --preset study --watch[/bold]

    Next: the last line suggests a command. What each state means: docs/status.md.
    """
    from cenbench.errors import UserError
    from cenbench.matrix.plan import load_plan
    from cenbench.report.terminal_status import not_started, render_status
    from cenbench.schedule.controller_lock import controller_elsewhere
    from cenbench.schedule.remaining_cost import left_words
    from cenbench.schedule.status import all_ended, plan_status, started_parts, status_document

    paths, console = checkout(root), wide_console()
    plan = load_plan(paths.params, preset).select(tables=table, figures=figure)
    now = time.time()
    cells = plan_status(plan, paths, now)
    if as_json and watch:
        raise UserError("--json and --watch exclude each other", key="--watch", fix="leave one of them out")
    if as_json:
        typer.echo(json.dumps(status_document(plan, cells, now), indent=1))
        return

    def asked() -> tuple[Plan, list[CellStatus]]:
        """What was named, or else what was started, with its cells."""
        tables, figures = started_parts(plan, cells)
        shown = plan if table or figure else plan.select(tables=tables, figures=figures)
        return shown, [cell for cell in cells if cell.cell_id in shown.cells]

    shown, their_cells = asked()
    if not watch:
        console.print(render_status(shown, their_cells, left_words(shown, paths, their_cells)))
        if rest := not_started(plan, shown, named=True):
            say(rest)
        return
    from rich.live import Live

    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                left = f"{left_words(shown, paths, their_cells)} {not_started(plan, shown)}".strip()
                live.update(render_status(shown, their_cells, left, console.height, console.width), refresh=True)
                # Between two tables of a run, all cells that were started have ended.
                if all_ended(their_cells) and (table or figure or controller_elsewhere(paths.root) is None):
                    return
                time.sleep(REFRESH_S)
                cells = plan_status(plan, paths, time.time())
                shown, their_cells = asked()
    except KeyboardInterrupt:
        return  # the usual way to quit
