"""`cenbench export`: a finished cell's predictions as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root


def export(
    cell: Annotated[str, typer.Argument(help="The cell's id, as `cenbench plan` prints it.")],
    out: Annotated[Path, typer.Option(help="The folder they go to: a new one, or one this command began.")],
    stream: Annotated[str, typer.Option(help="Which output: a modality of the task, or ensemble.")] = "ensemble",
    preset: Preset = "demo",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: CUDA where it is.")] = "auto",
    root: Root = Path(),
) -> None:
    """Write a finished cell's predictions on the validation split as PNGs, labels in the dataset's own format."""
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.run.export import export_cell

    paths = Paths(root)
    chosen = load_plan(paths.params, preset).cell(cell)
    written = export_cell(chosen, paths, out, stream, device, bar=sys.stderr.isatty())
    typer.echo(f"{out}: {written} predictions of {stream}; what they are is in predictions.json")
