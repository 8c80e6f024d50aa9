"""`cenbench doctor`: whether everything a run needs is in place."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from cenbench.cli.options import Json, Preset, Root, checkout, wide_console


def doctor(preset: Preset = "demo", as_json: Json = False, root: Root = Path()) -> None:
    """Check that everything the preset needs is in place, and suggest the next command.

    Checks packages, GPU, Slurm, file system, data, weights and disk space. Exits with status 1 if there is a problem.

    Example: [bold]cenbench doctor --preset paper[/bold]
    """
    from cenbench.doctor.check import checks_document, has_problem
    from cenbench.doctor.site import next_command, site_checks
    from cenbench.matrix.plan import load_plan
    from cenbench.report.terminal_checks import render_checks

    paths = checkout(root)
    checks = site_checks(load_plan(paths.params, preset), paths)
    command = next_command(preset, checks)
    if as_json:
        typer.echo(json.dumps(checks_document(preset, checks, command), indent=1))
    else:
        wide_console().print(render_checks(checks, command))
    if has_problem(checks):
        raise typer.Exit(1)
