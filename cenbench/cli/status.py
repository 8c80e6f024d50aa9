"""`cenbench status`: what every cell is doing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root, wide_console

REFRESH_S = 2.0


def status(
    preset: Preset = "demo",
    table: Annotated[list[str] | None, typer.Option(help="Only cells of this table (repeatable).")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until every cell has ended, or Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for scripts: docs/status.md.")] = False,
    root: Root = Path(),
) -> None:
    """Show what every cell is doing, from files alone: no controller or scheduler needs to be alive."""
    from cenbench.errors import UserError
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.report.terminal_status import render_status
    from cenbench.schedule.remaining_cost import left_words
    from cenbench.schedule.status import all_ended, plan_status, status_document

    paths, console = Paths(root), wide_console()
    plan = load_plan(paths.params, preset).select(tables=table)
    now = time.time()
    cells = plan_status(plan, paths, now)
    if as_json and watch:
        raise UserError("--json is of one moment", key="--watch", fix="leave --watch out, and ask again when you like")
    if as_json:
        typer.echo(json.dumps(status_document(plan, cells, now), indent=1))
        return
    if not watch:
        console.print(render_status(plan, cells, left_words(plan, paths, cells)))
        return
    from rich.live import Live

    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                shown = render_status(plan, cells, left_words(plan, paths, cells), console.height)
                live.update(shown, refresh=True)
                if all_ended(cells):
                    return
                time.sleep(REFRESH_S)
                cells = plan_status(plan, paths, time.time())
    except KeyboardInterrupt:
        return  # the usual way out
