"""`cenbench suggest-lambda`: lambda and theta for a wanted share of exchanged channels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.collection import collect_as_usual
from cenbench.cli.options import CellId, Device, Preset, Root, checkout, find_cell, say, wide_console


def suggest_lambda(
    cell: CellId,
    share: Annotated[float, typer.Option(help="Wanted share of exchanged channels in percent.")] = 20.0,
    steps: Annotated[
        int | None, typer.Option(help="Steps per short training. Default: the cell's own, at most 200.")
    ] = None,
    preset: Preset = "demo",
    device: Device = "auto",
    root: Root = Path(),
) -> None:
    """Propose lambda and theta for a wanted share of exchanged channels, with the evidence.

    Trains the cell's network briefly with five lambdas, on training scenes only,
    and counts the channels under five thetas. It evaluates nothing and changes
    no result.

    Example: [bold]cenbench suggest-lambda CELL --share 20[/bold]

    Next: put the two into the preset's protocol, or into a row's `override:`.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.report.terminal_suggestion import render_suggestion, suggestion_notes
    from cenbench.run.suggest_lambda import suggest_lambda as suggest

    paths = checkout(root)
    chosen = find_cell(load_plan(paths.params, preset), cell)
    collect_as_usual()
    found = suggest(
        chosen, paths, share / 100, steps=steps, device_name=device, progress=lambda line: print(line, file=sys.stderr)
    )
    trials = [(trial.lambda_l1, trial.shares, trial.failed) for trial in found.trials]
    wide_console().print(render_suggestion(found.thetas, trials))
    say(f"lambda_l1: {found.lambda_l1:g}, theta: {found.theta:g}")
    say(f"{100 * found.share:.1f} % exchanged (wanted: {share:g} %)")
    for line in suggestion_notes(found.steps, found.total, close=found.is_close):
        say(line)
