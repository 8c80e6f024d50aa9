"""`cenbench data`: prepare, verify and look at datasets."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cenbench.cli.options import Preset, Root

if TYPE_CHECKING:  # every command imports what it needs: the others start quickly
    from cenbench.data.official.adapter import Adapter
    from cenbench.data.prepared import Prepared
    from cenbench.data.statistics import Statistics
    from cenbench.paths import Paths

app = typer.Typer(help="Prepare, verify and look at datasets.", no_args_is_help=True)

Dataset = Annotated[str, typer.Argument(help="A dataset of the preset: its name, or its key as `data list` prints it.")]


@app.command("list")
def list_datasets(preset: Preset = "demo", root: Root = Path()) -> None:
    """List the datasets of a preset and whether each is prepared; and the published datasets that can be read."""
    from cenbench.cli.options import wide_console
    from cenbench.data.adapters import ADAPTERS, find_adapter
    from cenbench.matrix.datasets import datasets_of
    from cenbench.matrix.specs import dataset_key
    from cenbench.paths import Paths
    from cenbench.report.terminal_data import adapters_table

    paths, command = Paths(root), "cenbench data prepare"
    for spec in datasets_of(paths.params, preset):
        key = dataset_key(spec)
        ready = (paths.data / key / "manifest.json").exists()
        typer.echo(f"{key}  {'prepared' if ready else f'not prepared; next: {command} {key} --preset {preset}'}")
    typer.echo("\nPublished datasets that can be read (docs/datasets.md):")
    adapters = [find_adapter(name) for name in ADAPTERS]
    wide_console().print(adapters_table((each, _state(paths, each.NAME)) for each in adapters))


def _state(paths: Paths, name: str) -> str:
    """What of a published dataset is here, in any size."""
    from cenbench.data.raw_folder import holds_raw_files

    prepared = sorted(manifest.parent.name for manifest in paths.data.glob(f"{name}-*/manifest.json"))
    if prepared:
        return f"prepared: {', '.join(prepared)}"
    raw = paths.raw / name
    return f"raw files in {raw}" if holds_raw_files(raw) else f"nothing in {raw}"


@app.command()
def prepare(
    dataset: Annotated[
        str | None, typer.Argument(help="A dataset of the preset, by name or key; all of them by default.")
    ] = None,
    raw: Annotated[
        Path | None, typer.Option(help="Folder of the official files; data/raw/NAME by default.", file_okay=False)
    ] = None,
    preset: Preset = "demo",
    workers: Annotated[int, typer.Option(min=1, help="Processes that render or convert.")] = os.cpu_count() or 1,
    root: Root = Path(),
) -> None:
    """Make the memory-mapped arrays and manifest of datasets. Interrupted, the same command continues."""
    from cenbench.data import adapters
    from cenbench.errors import UserError, all_of
    from cenbench.matrix.datasets import datasets_of, find_dataset
    from cenbench.paths import Paths

    if raw is not None and dataset is None:
        raise UserError("--raw needs a dataset's name", fix=f"cenbench data prepare NAME --raw {raw}")
    paths, problems = Paths(root), []
    for spec in datasets_of(paths.params, preset) if dataset is None else [find_dataset(paths.params, preset, dataset)]:
        try:
            if spec.name in adapters.ADAPTERS:
                _introduce(adapters.find_adapter(spec.name))
            folder = adapters.prepare(spec, paths.data, workers, sys.stderr.isatty(), raw)
            typer.echo(f"{folder} is prepared; next: cenbench data show {folder.name} --preset {preset}")
        except UserError as error:
            problems.append(error)
    if problems:
        raise all_of(problems)


def _open(root: Path, preset: str, dataset: str) -> Prepared:
    """The prepared dataset of that name or key."""
    from cenbench.data.prepared import Prepared
    from cenbench.matrix.datasets import find_dataset
    from cenbench.matrix.specs import dataset_key
    from cenbench.paths import Paths

    paths = Paths(root)
    return Prepared.open(paths.data / dataset_key(find_dataset(paths.params, preset, dataset)))


def _introduce(adapter: Adapter) -> None:
    """Whose work is about to be used, on which terms."""
    typer.echo(f"{adapter.TITLE} ({adapter.URL})\nlicence: {adapter.LICENCE}\ncite:\n{adapter.CITATION}\n")


@app.command()
def verify(dataset: Dataset, preset: Preset = "demo", root: Root = Path()) -> None:
    """Check every file of a prepared dataset: its sha256, its values' ranges; and count its classes."""
    from cenbench.cli.options import wide_console
    from cenbench.report.terminal_data import verify_report

    prepared = _open(root, preset, dataset)
    prepared.verify()
    typer.echo(f"{prepared.folder}: every file is as its manifest says")
    wide_console().print(verify_report(_statistics(prepared)))


@app.command()
def stats(dataset: Dataset, preset: Preset = "demo", root: Root = Path()) -> None:
    """Show what the values are like: range, mean and missing share a modality, class shares a split."""
    from cenbench.cli.options import wide_console
    from cenbench.report.terminal_data import classes_table, modalities_table

    statistics, console = _statistics(_open(root, preset, dataset)), wide_console()
    console.print(modalities_table(statistics.modalities))
    if statistics.classes:
        console.print(classes_table(statistics.classes))


def _statistics(prepared: Prepared) -> Statistics:
    """Read the whole dataset, reporting progress on stderr."""
    from cenbench.data.progress import counting
    from cenbench.data.statistics import read_statistics

    images = sum(entry.shape[0] for entry in prepared.manifest.modalities.values())
    with counting(f"reading {prepared.folder.name}", 0, images, sys.stderr.isatty(), "images") as advance:
        return read_statistics(prepared, advance)


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

    draw = {".png": contact_sheet, ".html": contact_page}.get(out.suffix.lower())
    if draw is None:
        raise UserError(
            "a contact sheet is a picture or a page", key="--out", found=out, expected="a .png or .html file"
        )
    prepared = _open(root, preset, dataset)
    draw(prepared, range(scenes), out)
    typer.echo(f"{out}: {scenes} scenes")
