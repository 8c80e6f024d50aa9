"""`cenbench export`: write a finished cell's predictions as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import CellId, Device, Preset, Root, checkout, find_cell, say


def export(
    cell: CellId,
    out: Annotated[Path, typer.Option(help="Folder to write to: a new one, or one from an interrupted export.")],
    stream: Annotated[str, typer.Option(help="Which output: a modality of the task, or ensemble.")] = "ensemble",
    preset: Preset = "demo",
    device: Device = "auto",
    root: Root = Path(),
) -> None:
    """Write a finished cell's predictions on the validation split as PNGs, labels in the dataset's own format.

    Example: [bold]cenbench export CELL --out predictions/ours[/bold]

    Next: OUT/predictions.json describes the files; docs/export.md shows how to score them with other tools.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.run.export import export_cell

    paths = checkout(root)
    chosen = find_cell(load_plan(paths.params, preset), cell)
    written = export_cell(chosen, paths, out, stream, device, bar=sys.stderr.isatty())
    say(f"{out}: {written} predictions of {stream}, described in predictions.json")
