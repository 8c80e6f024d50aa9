"""`cenbench corollary`: corollary 1 shown on a trained cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.collection import collect_as_usual
from cenbench.cli.options import CellId, Device, Preset, Root, checkout, find_cell, say
from cenbench.errors import UserError


def corollary(
    cell: CellId,
    layer: Annotated[
        str | None, typer.Option(help="Dotted name of the norm. Default: the one with the smallest scaling factor.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the result in results/corollary/, where the claims read it.")
    ] = False,
    preset: Preset = "demo",
    device: Device = "auto",
    root: Root = Path(),
) -> None:
    """Show corollary 1 on a finished cell: exchanging a channel whose scaling factor is zero can be undone.

    One scaling factor of the trained network is set to zero. f keeps the channel;
    f' exchanges it, with the next convolution's weight for it set to zero and
    the constant that it gave added. Both are compared on a training scene.

    Example: [bold]cenbench corollary CELL --preset study[/bold]

    Exits with 1 if the two are not equal; with --write it exits with 0, and the
    claims show the result.

    Next: [bold]snakemake claims[/bold] checks every cell that the claim needs.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.records.corollary import TOLERANCE
    from cenbench.run.corollary import check_corollary, record_corollary

    if write and layer is not None:
        problem = "--write checks the smallest scaling factor of all layers, so it excludes --layer"
        raise UserError(problem, key="--layer", fix="leave one of them out")
    paths = checkout(root)
    chosen = find_cell(load_plan(paths.params, preset), cell)
    collect_as_usual()
    found = record_corollary(chosen, paths, device) if write else check_corollary(chosen, paths, device, layer=layer)
    if found is None:
        say(f"{chosen.id} is skipped, so it has no network; wrote {paths.corollary(chosen)}")
        return
    place = found.place
    modality = chosen.task.inputs[place.modality]
    say(f"{place.layer}, {modality}, channel {place.channel}: gamma {found.gamma:.4g}, set to zero")
    say(f"outputs: largest |f' - f| is {found.output_difference:.1e} ({found.unadjusted_difference:.1e} unadjusted)")
    for stream, (without, exchanged) in found.losses.items():
        say(f"loss of {stream}: f {without:.9f}, f' {exchanged:.9f}")
    word = "equal" if found.equal else "NOT equal"
    say(f"f' with exchange and f without are {word} to {TOLERANCE:g}, in float64")
    if write:
        say(f"wrote {paths.corollary(chosen)}")
    elif not found.equal:
        raise typer.Exit(1)
