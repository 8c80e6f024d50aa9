"""`cenbench corollary`: corollary 1 shown on a trained cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import CellId, Device, Preset, Root, checkout, find_cell, say


def corollary(
    cell: CellId,
    layer: Annotated[
        str | None, typer.Option(help="Dotted name of the norm. Default: the one with the smallest scaling factor.")
    ] = None,
    preset: Preset = "demo",
    device: Device = "auto",
    root: Root = Path(),
) -> None:
    """Show corollary 1 on a finished cell: exchanging a channel whose scaling factor is zero can be undone.

    One scaling factor of the trained network is set to zero. f keeps the channel;
    f' exchanges it, with the next convolution's weight for it set to zero and
    the constant that it gave added. Both are compared on a training scene.

    Example: [bold]cenbench corollary CELL --preset study[/bold]

    Exits with 1 if the two are not equal.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.run.corollary import TOLERANCE, check_corollary

    paths = checkout(root)
    chosen = find_cell(load_plan(paths.params, preset), cell)
    found = check_corollary(chosen, paths, device, layer=layer)
    place = found.place
    modality = chosen.task.inputs[place.modality]
    say(f"{place.layer}, {modality}, channel {place.channel}: gamma {found.gamma:.4g}, set to zero")
    say(f"outputs: largest |f' - f| is {found.output_difference:.1e} ({found.unadjusted_difference:.1e} unadjusted)")
    for stream, (without, exchanged) in found.losses.items():
        say(f"loss of {stream}: f {without:.9f}, f' {exchanged:.9f}")
    word = "equal" if found.equal else "NOT equal"
    say(f"f' with exchange and f without are {word} to {TOLERANCE:g}, in float64")
    if not found.equal:
        raise typer.Exit(1)
