"""`cenbench data`: prepare, verify and inspect datasets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cenbench.cli.options import Preset, Root, checkout, given_path, output_file, say

if TYPE_CHECKING:  # each command imports what it needs, so that the others start quickly
    from cenbench.data.official.adapter import Adapter
    from cenbench.data.prepared import Prepared
    from cenbench.data.statistics import Statistics
    from cenbench.paths import Paths

app = typer.Typer(help="Prepare, verify and inspect datasets.", no_args_is_help=True)

Dataset = Annotated[
    str, typer.Argument(metavar="DATASET", help="A dataset of the preset: its name, or its key as in `data list`.")
]


@app.command("list")
def list_datasets(preset: Preset = "demo", root: Root = Path()) -> None:
    """List the datasets of a preset and whether each is prepared, then every published dataset that can be read.

    Example: [bold]cenbench data list --preset paper[/bold]

    Next: [bold]cenbench data prepare[/bold]. Where to get the official files: docs/datasets.md.
    """
    from cenbench.cli.options import wide_console
    from cenbench.data.adapters import ADAPTERS, find_adapter
    from cenbench.data.manifest import is_prepared
    from cenbench.matrix.datasets import datasets_of
    from cenbench.matrix.specs import dataset_key
    from cenbench.report.terminal_data import adapters_table

    paths, command = checkout(root), "cenbench data prepare"
    for spec in datasets_of(paths.params, preset):
        key = dataset_key(spec)
        ready = is_prepared(paths.data / key)
        say(f"{key}  {'prepared' if ready else f'not prepared; next: {command} {key} --preset {preset}'}")
    say("\nPublished datasets that can be read (docs/datasets.md):")
    adapters = [find_adapter(name) for name in ADAPTERS]
    wide_console().print(adapters_table((adapter, _state(paths, adapter.NAME)) for adapter in adapters))


def _state(paths: Paths, name: str) -> str:
    """Whether a published dataset is prepared, in any size, or its raw files are in place."""
    from cenbench.data.manifest import MANIFEST
    from cenbench.data.raw_folder import holds_raw_files

    prepared = sorted(manifest.parent.name for manifest in paths.data.glob(f"{name}-*/{MANIFEST}"))
    if prepared:
        return f"prepared: {', '.join(prepared)}"
    raw = paths.raw / name
    return f"raw files in {raw}" if holds_raw_files(raw) else f"nothing in {raw}"


@app.command()
def prepare(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATASET]", help="A dataset of the preset, by key, or all of a name. Default: all of them."
        ),
    ] = None,
    raw: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY",
            parser=given_path,
            help="Folder of the official files. Default: data/raw/NAME.",
        ),
    ] = None,
    preset: Preset = "demo",
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes to use. Default: one per allotted CPU.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Render or convert datasets into memory-mapped arrays with a manifest. Rerun after an interruption to resume.

    Example: [bold]cenbench data prepare nyudv2 --preset paper --raw /data/nyudv2[/bold]

    Next: [bold]cenbench data show NAME[/bold] draws some scenes to look at.
    """
    from cenbench.cpus import allotted_cpus
    from cenbench.data import adapters
    from cenbench.errors import UserError, all_of
    from cenbench.matrix.datasets import datasets_of, find_datasets

    if raw is not None and dataset is None:
        raise UserError("--raw needs a dataset's name", fix=f"cenbench data prepare NAME --raw {raw}")
    paths, processes, problems = checkout(root), workers or allotted_cpus(), []
    for spec in datasets_of(paths.params, preset) if dataset is None else find_datasets(paths.params, preset, dataset):
        try:
            if spec.name in adapters.ADAPTERS:
                _introduce(adapters.find_adapter(spec.name))
            folder = adapters.prepare(spec, paths.data, processes, sys.stderr.isatty(), raw)
            say(f"prepared {folder}; next: cenbench data show {folder.name} --preset {preset}")
        except UserError as error:
            problems.append(error)
    if problems:
        raise all_of(problems)


def _open(root: Path, preset: str, dataset: str) -> Prepared:
    """The prepared dataset of that name or key."""
    from cenbench.data.prepared import Prepared
    from cenbench.matrix.datasets import find_dataset
    from cenbench.matrix.specs import dataset_key

    paths = checkout(root)
    return Prepared.open(paths.data / dataset_key(find_dataset(paths.params, preset, dataset)))


def _introduce(adapter: Adapter) -> None:
    """Print whose work is about to be used, and under which licence."""
    say(f"{adapter.TITLE} ({adapter.URL})\nlicence: {adapter.LICENCE}\ncite:\n{adapter.CITATION}\n")


@app.command()
def verify(dataset: Dataset, preset: Preset = "demo", root: Root = Path()) -> None:
    """Check every file of a prepared dataset against its SHA-256 and value range, and count the pixels per class.

    Example: [bold]cenbench data verify nyudv2 --preset paper[/bold]

    Next: if a file is damaged, the message names the command that prepares it again.
    """
    from cenbench.cli.options import wide_console
    from cenbench.report.terminal_data import verify_report

    prepared = _open(root, preset, dataset)
    prepared.verify()
    say(f"{prepared.folder}: all files match the manifest")
    wide_console().print(verify_report(_statistics(prepared)))


@app.command()
def stats(dataset: Dataset, preset: Preset = "demo", root: Root = Path()) -> None:
    """Print range, mean and share of missing values per modality, and class shares per split.

    Example: [bold]cenbench data stats synthrooms-64px-9118c35031[/bold]
    """
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
    scenes: Annotated[int, typer.Option(min=1, max=64, help="Number of scenes, from the first one on.")] = 8,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", parser=output_file, help="File to write: a picture (.png) or a captioned page (.html)."
        ),
    ] = Path("contact-sheet.png"),
    root: Root = Path(),
) -> None:
    """Draw a contact sheet: the aligned modalities and labels of the first scenes.

    Example: [bold]cenbench data show synthrooms-64px-9118c35031 --out sheet.html[/bold]
    """
    from cenbench.data.contact_page import contact_page
    from cenbench.data.contact_sheet import contact_sheet
    from cenbench.errors import UserError

    draw = {".png": contact_sheet, ".html": contact_page}.get(out.suffix.lower())
    if draw is None:
        raise UserError(
            "a contact sheet is written as a picture or a page", key="--out", found=out, expected="a .png or .html file"
        )
    prepared = _open(root, preset, dataset)
    draw(prepared, range(scenes), out)
    say(f"{out}: {scenes} scenes")
