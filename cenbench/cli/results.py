"""`cenbench results`: move finished cells from one clone to another."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Preset, Root, checkout, given_path, output_file, say
from cenbench.errors import UserError

app = typer.Typer(
    help="All results as one data frame; export and import finished cells, to move them to another clone.",
    no_args_is_help=True,
)


@app.command("frame")
def frame_command(
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=output_file, help="Write every number to this .csv or .parquet file."),
    ] = None,
    short: Annotated[
        bool,
        typer.Option("--compact", help="With --out: finished cells only, one line per cell and stream, to publish."),
    ] = False,
    preset: Preset = "demo",
    root: Root = Path(),
) -> None:
    """Count the cells and numbers of each table, or write all results: one line per cell, output stream and metric.

    Example: [bold]cenbench results frame --out results/demo.csv[/bold]

    Next: [bold]pandas.read_csv("results/demo.csv")[/bold] in Python. The columns: docs/status.md.
    """
    from cenbench.cli.options import wide_console
    from cenbench.matrix.plan import load_plan
    from cenbench.records.frame import compact, read_frame, summary, write_frame
    from cenbench.report.terminal_frame import summary_table

    if short and out is None:
        raise UserError("--compact needs a file to write", key="--compact", fix=f"add: --out {preset}.csv")
    paths = checkout(root)
    frame = read_frame(load_plan(paths.params, preset), paths)
    if out is None:
        wide_console().print(summary_table(summary(frame)))
        say(f"next: cenbench results frame --preset {preset} --out {preset}.csv   (every number)")
        return
    if short:
        finished = compact(frame)
        write_frame(finished, out)
        cells = f"{finished['cell_id'].nunique()} of {frame['cell_id'].nunique()}"
        say(f"{out}: {cells} cells are finished; one line per cell and output stream")
        return
    write_frame(frame, out)
    say(f"{out}: {len(frame)} lines, {frame['value'].count()} of them with an up-to-date number")


@app.command("export")
def export_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", parser=output_file, help="The archive to write, e.g. results/demo.tar.")
    ],
    preset: Preset = "demo",
    root: Root = Path(),
) -> None:
    """Write every finished cell of a preset, with record and weights, to one file.

    Example: [bold]cenbench results export results/demo.tar[/bold]

    Next: [bold]cenbench results import results/demo.tar[/bold] in the other clone.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.run.share import export_results

    paths = checkout(root)
    found = export_results(load_plan(paths.params, preset), paths, file)
    for cell_id, why in found.left_out.items():
        say(f"left out: {cell_id}\n  {why}")
    say(
        f"{file}: {len(found.exported)} cells; next: dvc add {file}; in the other clone: cenbench results import {file}"
    )


@app.command("import")
def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", parser=given_path, help="An archive made by `cenbench results export`.")
    ],
    preset: Preset = "demo",
    root: Root = Path(),
) -> None:
    """Import finished cells that match this clone's code, data and weights; report why others were rejected.

    Example: [bold]cenbench results import results/demo.tar[/bold]

    Next: [bold]snakemake all_tables[/bold] runs the cells that are still missing and renders the tables.
    """
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import record_target
    from cenbench.run.share import import_results

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    found = import_results(plan, paths, file)
    for cell_id, why in found.rejected.items():
        say(f"rejected: {cell_id}\n  {why}")
    if found.absent:
        say(f"not in {file}: {len(found.absent)} cells of preset {preset}")
    targets = [record_target(plan.cell(cell_id)) for cell_id in found.imported]
    if targets or found.measured:
        _tell_snakemake(root, preset, [*targets, *(path.as_posix() for path in found.measured)])
    say(f"{len(found.imported)} cells imported, {len(found.kept)} already finished here")
    if found.measured:
        say(f"{len(found.measured)} measurements of trained cells imported (corrupted inputs, corollary 1)")
    say(f"next: snakemake all_tables --config preset={preset}")


def _tell_snakemake(root: Path, preset: str, targets: list[str]) -> None:
    """Record the cells as made in Snakemake's metadata, so that it sees later changes of code or parameters."""
    options = ["--touch", "--force", "--quiet", "all", "--cores", "1", "--config", f"preset={preset}"]
    command = [sys.executable, "-m", "snakemake", *targets, *options]
    if subprocess.run(command, cwd=root, check=False, stdout=subprocess.DEVNULL).returncode:
        raise UserError(
            f"the {len(targets)} cells are imported, but not recorded with Snakemake, which would train them again",
            where=root / ".snakemake",
            fix=f"when no other Snakemake is running here: {shlex.join(command)}",
        )
