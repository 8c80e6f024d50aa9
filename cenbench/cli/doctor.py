"""`cenbench doctor`: is everything here that a run needs?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root, wide_console


def doctor(
    preset: Preset = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for scripts: docs/status.md.")] = False,
    root: Root = Path(),
) -> None:
    """Check this site for a preset, and say what to type next. Exit status 1 where there is a problem."""
    from cenbench.doctor.check import checks_document, has_problem
    from cenbench.doctor.site import next_command, site_checks
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.report.terminal_checks import render_checks

    paths = Paths(root)
    checks = site_checks(load_plan(paths.params, preset), paths)
    command = next_command(preset, checks)
    if as_json:
        typer.echo(json.dumps(checks_document(preset, checks, command), indent=1))
    else:
        wide_console().print(render_checks(checks, command))
    if has_problem(checks):
        raise typer.Exit(1)
