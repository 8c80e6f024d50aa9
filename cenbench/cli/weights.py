"""`cenbench weights`: the pretrained files, which are here, and placing one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root

app = typer.Typer(help="Pretrained weights: which are needed, which are here; place one.", no_args_is_help=True)


@app.command("list")
def list_weights(preset: Preset = "demo", root: Root = Path()) -> None:
    """List the pretrained files: where from, whether they are here, which cells of a preset need them."""
    from cenbench.cli.options import wide_console
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.pretrained.list import list_pretrained
    from cenbench.report.terminal_weights import weights_table

    paths = Paths(root)
    listed = list_pretrained(load_plan(paths.params, preset), paths)
    wide_console().print(weights_table(listed, preset))
    absent = [each.asset for each in listed if each.cells and each.state == "absent"]
    for asset in absent:
        typer.echo(f"next: download {asset.url}, then: cenbench weights add {asset.name} {asset.file}")
    if not absent:
        typer.echo(f"preset {preset} lacks none")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="resnet50, resnet101, resnet152, inception-v3, ...: see `weights list`.")],
    file: Annotated[Path, typer.Argument(help="The downloaded file.")],
    own: Annotated[
        str | None,
        typer.Option(help="For weights of your own, of the same layout: what they are. Shown beside results."),
    ] = None,
    replace: Annotated[bool, typer.Option(help="Give up other weights of that name that are there.")] = False,
    root: Root = Path(),
) -> None:
    """Check a pretrained file (SHA-256, every key and shape, weights only) and place it in weights/."""
    from cenbench.paths import Paths
    from cenbench.pretrained.add import add_weights

    placed = add_weights(name, file, Paths(root).weights, own=own, replace=replace)
    typer.echo(f"{placed.path} {'was there already' if placed.already else 'is placed'}; sha256 {placed.sha256}")
    if placed.own:
        typer.echo(f"these are weights of your own ({placed.own}): tables say so, and compare nothing with the paper's")
    typer.echo(f"next: dvc add {placed.path}   (to give it a version), then run what was skipped: snakemake all_tables")
