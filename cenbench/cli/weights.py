"""`cenbench weights`: list the pretrained files, and add one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root, checkout, given_path, say

app = typer.Typer(help="List the pretrained weights a preset needs, and add them.", no_args_is_help=True)


@app.command("list")
def list_weights(preset: Preset = "demo", root: Root = Path()) -> None:
    """List the pretrained files: which cells need them, which are in place, and where to download the others.

    Example: [bold]cenbench weights list --preset paper[/bold]

    Next: [bold]cenbench weights add NAME FILE[/bold] for each missing file.
    """
    from cenbench.cli.options import wide_console
    from cenbench.matrix.plan import load_plan
    from cenbench.pretrained.list import list_pretrained
    from cenbench.report.terminal_weights import weights_table

    paths = checkout(root)
    listed = list_pretrained(load_plan(paths.params, preset), paths)
    wide_console().print(weights_table(listed, preset))
    needed = [entry for entry in listed if entry.cells]
    absent = [entry for entry in needed if entry.state == "absent"]
    for entry in absent:
        say(f"next: download {entry.source}, then: cenbench weights add {entry.name} {entry.file}")
    unusable = [entry for entry in needed if entry.state == "unusable"]
    for entry in unusable:
        say(f"{entry.file} cannot be used ({entry.detail}): cells that need it fail")
        say(f"next: download {entry.source}, then: cenbench weights add {entry.name} FILE --replace")
    untrained = [entry for entry in needed if entry.state == "not trained yet"]
    for entry in untrained:
        say(f"Snakemake trains {entry.file} before the cells that start from it; to train it now: {entry.source}")
    if not needed:
        say(f"preset {preset} needs no pretrained weights")
    elif not absent and not unusable and not untrained:
        say(f"all weights for preset {preset} are present")


@app.command()
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name from `weights list`: resnet101, inception-v3, ...")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", parser=given_path, help="The downloaded file.")],
    own: Annotated[
        str | None,
        typer.Option(help="Describe your own weights of the same layout; shown beside the results."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Which weights to take from a file with several: state_dict_ema, encoder_q, ..."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace existing weights of that name.")] = False,
    root: Root = Path(),
) -> None:
    """Check a pretrained file (SHA-256, every key and shape) and copy it into weights/. Loads tensors only, no code.

    Example: [bold]cenbench weights add resnet101 ~/Downloads/resnet101-5d3b4d8f.pth[/bold]

    Next: [bold]snakemake all_tables --config preset=paper[/bold] runs the cells that were skipped without the file.
    """
    from cenbench.pretrained.add import add_weights

    placed = add_weights(name, file, checkout(root).weights, own=own, replace=replace, key=key)
    say(f"{'already present' if placed.already else 'added'}: {placed.path}, sha256 {placed.sha256}")
    if placed.taken:
        where = f"under {placed.taken.key!r}" if placed.taken.key else "of the file"
        say(f"the weights {where} were written as a plain file; {placed.taken.others} other entries were left out")
    if placed.own:
        say(f"your own weights ({placed.own}): tables name them and compare nothing with the paper")
    say("next: snakemake all_tables --config preset=PRESET, with the preset whose cells were skipped")
    say(f"to put the file under version control: dvc add {placed.path}")
