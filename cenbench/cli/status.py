"""`cenbench status`: the state of every cell."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Figures, Json, Preset, Root, Tables, checkout, say, wide_console

REFRESH_S = 2.0


def status(
    preset: Preset = "demo",
    table: Tables = None,
    figure: Figures = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until every cell has ended; Ctrl-C leaves.")] = False,
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Show the state of every cell, how far it is and what remains. Reads files only, so no controller is needed.

    Tables and figures of which nothing was started are only named, unless an
    option names them, or nothing was started at all.

    Example: [bold]cenbench status --preset study --watch[/bold]

    Next: the last line suggests a command. What each state means: docs/status.md.
    """
    from cenbench.errors import UserError
    from cenbench.matrix.plan import load_plan
    from cenbench.report.terminal_status import render_status
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
    if not watch:
        tables, figures = started_parts(plan, cells)
        started = plan if table or figure else plan.select(tables=tables, figures=figures)
        asked = [cell for cell in cells if cell.cell_id in started.cells]
        console.print(render_status(started, asked, left_words(started, paths, asked)))
        if rest := [name for name in plan.names if name not in started.names]:
            say(f"not started: {', '.join(rest)} ({len(cells) - len(asked)} more cells)")
        return
    from rich.live import Live

    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                shown = render_status(plan, cells, left_words(plan, paths, cells), console.height, console.width)
                live.update(shown, refresh=True)
                if all_ended(cells):
                    return
                time.sleep(REFRESH_S)
                cells = plan_status(plan, paths, time.time())
    except KeyboardInterrupt:
        return  # the usual way to leave
