"""`cenbench data`: prepare, verify and look at datasets."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root

app = typer.Typer(help="Prepare, verify and look at datasets.", no_args_is_help=True)

Dataset = Annotated[str, typer.Argument(help="A dataset of the preset: its name, or its key as `data list` prints it.")]


@app.command("list")
def list_datasets(preset: Preset = "demo", root: Root = Path()) -> None:
    """List the datasets of a preset and whether each is prepared."""
    from cenbench.data.prepared import dataset_key
    from cenbench.run.datasets import datasets_of
    from cenbench.run.paths import Paths

    paths = Paths(root)
    for spec in datasets_of(paths, preset):
        key = dataset_key(spec)
        ready = (paths.data / key / "manifest.json").exists()
        typer.echo(f"{key}  {'prepared' if ready else f'not prepared; next: cenbench data prepare {key}'}")


@app.command()
def prepare(
    dataset: Annotated[
        str | None, typer.Argument(help="A dataset of the preset, by name or key; all of them by default.")
    ] = None,
    preset: Preset = "demo",
    workers: Annotated[int, typer.Option(min=1, help="Processes that render or convert.")] = os.cpu_count() or 1,
    root: Root = Path(),
) -> None:
    """Make the memory-mapped arrays and manifest of datasets. Interrupted, the same command continues."""
    from cenbench.data import adapters
    from cenbench.run.datasets import datasets_of, find_dataset
    from cenbench.run.paths import Paths

    paths = Paths(root)
    for spec in datasets_of(paths, preset) if dataset is None else [find_dataset(paths, preset, dataset)]:
        folder = adapters.prepare(spec, paths.data, workers, sys.stderr.isatty())
        typer.echo(f"{folder} is prepared; next: cenbench data show {folder.name} --preset {preset}")


@app.command()
def verify(dataset: Dataset, preset: Preset = "demo", root: Root = Path()) -> None:
    """Check every file of a prepared dataset: its sha256, its values' ranges; and count its classes."""
    from cenbench.cli.data_values import values_table
    from cenbench.cli.options import wide_console
    from cenbench.data.check_values import check_values
    from cenbench.data.progress import counting
    from cenbench.run.datasets import open_dataset
    from cenbench.run.paths import Paths

    prepared = open_dataset(Paths(root), preset, dataset)
    prepared.verify()
    typer.echo(f"{prepared.folder}: every file is as its manifest says")
    total = sum(entry.shape[0] for entry in prepared.manifest.modalities.values())
    with counting(f"reading {prepared.folder.name}", 0, total, sys.stderr.isatty(), "images") as advance:
        values = check_values(prepared, advance)
    wide_console().print(values_table(values))


@app.command()
def show(
    dataset: Dataset,
    preset: Preset = "demo",
    scenes: Annotated[int, typer.Option(min=1, max=64, help="How many scenes, from the start.")] = 8,
    out: Annotated[Path, typer.Option(help="Where it goes: a picture (.png), or a captioned page (.html).")] = Path(
        "contact-sheet.png"
    ),
    root: Root = Path(),
) -> None:
    """Draw a contact sheet: the aligned modalities and labels of some scenes."""
    from cenbench.data.contact_page import contact_page
    from cenbench.data.contact_sheet import contact_sheet
    from cenbench.errors import UserError
    from cenbench.run.datasets import open_dataset
    from cenbench.run.paths import Paths

    draw = {".png": contact_sheet, ".html": contact_page}.get(out.suffix.lower())
    if draw is None:
        raise UserError(
            "a contact sheet is a picture or a page", key="--out", found=out, expected="a .png or .html file"
        )
    prepared = open_dataset(Paths(root), preset, dataset)
    draw(prepared, range(scenes), out)
    typer.echo(f"{out}: {scenes} scenes")
