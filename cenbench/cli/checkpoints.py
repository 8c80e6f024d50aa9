"""`cenbench import-checkpoint`: the released code's own weights, measured as a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root


def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="A checkpoint of the released code: model-best.pth.tar, *-gen.pkl.")],
    cell: Annotated[str, typer.Argument(help="The id of the cell whose network it is, as `cenbench plan` prints it.")],
    preset: Preset = "demo",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: CUDA where it is.")] = "auto",
    replace: Annotated[bool, typer.Option(help="Give up the weights the cell has, trained or imported.")] = False,
    root: Root = Path(),
) -> None:
    """Read a checkpoint of the released code into a cell, evaluate it, publish its record. Trains nothing."""
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.records.read import read_record
    from cenbench.run.import_checkpoint import import_checkpoint as run_import

    paths = Paths(root)
    plan = load_plan(paths.params, preset)
    chosen = plan.cell(cell)
    source = run_import(file, chosen, paths, device, replace=replace)
    record = read_record(paths, chosen)
    table = plan.tables_of(chosen.id)[0]
    typer.echo(f"imported {source} into {chosen.id}; nothing was trained")
    typer.echo(f"published {record.folder}: {record.state}" + (f"\n{record.reason}" if record.reason else ""))
    typer.echo(f"next: cenbench show {table} --preset {preset}   (or: snakemake {table} --config preset={preset})")
