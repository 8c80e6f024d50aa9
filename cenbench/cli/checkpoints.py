"""`cenbench import-checkpoint`: evaluate a checkpoint of the released code as a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import CellId, Device, Preset, Root, checkout, find_cell, given_path, say


def import_checkpoint(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            parser=given_path,
            help="A checkpoint of the released code: model-best.pth.tar or *-gen.pkl.",
        ),
    ],
    cell: CellId,
    preset: Preset = "demo",
    device: Device = "auto",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the cell's weights, trained or imported.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Load a checkpoint of the released code into a cell, evaluate it and publish its record. Trains nothing.

    Example: [bold]cenbench import-checkpoint model-best.pth.tar CELL --preset paper-official[/bold]

    Next: [bold]cenbench show table7 --preset paper-official[/bold]. Formats and limits: docs/checkpoints.md.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.records.read import read_record
    from cenbench.run.import_checkpoint import import_checkpoint as run_import

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    chosen = find_cell(plan, cell)
    source = run_import(file, chosen, paths, device, replace=replace)
    record = read_record(paths, chosen)
    shown_in = plan.shown_in(chosen.id)[0]
    say(f"imported {source} into {chosen.id}; nothing was trained")
    say(f"published {record.folder}: {record.state}" + (f"\n{record.reason}" if record.reason else ""))
    say(f"next: cenbench show {shown_in} --preset {preset}   (or: snakemake {shown_in} --config preset={preset})")
