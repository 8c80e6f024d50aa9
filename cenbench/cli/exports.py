"""`cenbench export` and `export-history`: a finished cell's predictions and training curves for other tools."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli import completion
from cenbench.cli.options import CellId, Device, Preset, Root, Tables, checkout, find_cell, given, output_folder, say
from cenbench.errors import UserError


class Tool(StrEnum):
    tensorboard = "tensorboard"
    wandb = "wandb"


def export(
    cell: CellId,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIRECTORY",
            parser=output_folder,
            help="Folder to write to: a new one, or one from an interrupted export.",
        ),
    ],
    stream: Annotated[str, typer.Option(help="Which output: a modality of the task, or ensemble.")] = "ensemble",
    preset: Preset = "demo",
    device: Device = "auto",
    root: Root = Path(),
) -> None:
    """Write a finished cell's predictions on the validation split as PNGs, labels in the dataset's own format.

    Example: [bold]cenbench export CELL --out predictions/ours[/bold]

    Next: OUT/predictions.json describes the files; docs/export.md explains their pixel values.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.run.export import export_cell

    paths = checkout(root)
    chosen = find_cell(load_plan(paths.params, preset), cell)
    written = export_cell(chosen, paths, out, stream, device, bar=sys.stderr.isatty())
    say(f"{out}: {written} predictions of {stream}, described in predictions.json")


def export_history(
    to: Annotated[Tool, typer.Option("--to", help="The tool whose format to write.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIRECTORY", parser=output_folder, help="Folder to write to; each cell gets a run of its own."
        ),
    ],
    cells: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CELL",
            parser=given,
            help="Ids of cells, or unique starts of them or of their hashes.",
            autocompletion=completion.cells,
        ),
    ] = None,
    table: Tables = None,
    preset: Preset = "demo",
    root: Root = Path(),
) -> None:
    """Write training curves and results of finished cells for TensorBoard, or as offline runs of Weights & Biases.

    Example: [bold]cenbench export-history --table table7 --to tensorboard --out runs[/bold]

    With --table, cells that are not finished are left out.

    Next: tensorboard --logdir OUT, or wandb sync OUT/wandb/offline-run-*.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.records.read import read_record
    from cenbench.report.exported_history import WRITERS, exported_history

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    named = [find_cell(plan, text) for text in cells or ()]
    shown = plan.select(tables=table).cells.values() if table else ()
    records = {cell.id: read_record(paths, cell) for cell in (*named, *shown)}
    finished = (cell for cell in shown if records[cell.id].state == "ok")
    chosen = dict.fromkeys(cell.id for cell in (*named, *finished))
    if not chosen:
        problem = "no cell of these tables is finished" if table else "no cells to export"
        raise UserError(problem, fix=None if table else "name cells, or tables with --table")
    histories = [exported_history(records[cell_id]) for cell_id in chosen]
    for history in histories:
        WRITERS[to](history, out)
    say(f"{out}: {len(histories)} runs for {to}")
