"""`cenbench compare`: what differs between two cells, rows, presets, checkouts or archives."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cenbench.cli.options import Json, Preset, Root, checkout, find_cell, say, wide_console
from cenbench.errors import UserError

if TYPE_CHECKING:
    from cenbench.paths import Paths
    from cenbench.report.sides import Side

_SIDE = (
    "A preset, a row such as table7:3, a cell, another checkout, an archive of `cenbench results export`, or a git "
    "revision that tracks such an archive."
)


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help=_SIDE)],
    b: Annotated[str, typer.Argument(metavar="B", help="The same; B is judged against A.")],
    preset: Preset = "demo",
    fail_if: Annotated[
        Literal["worse", "moved"] | None,
        typer.Option(help="Exit with status 1 if a number is worse, or if any moved; or if B lacks a value of A."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the comparison as a page to this file.")] = None,
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Compare two results: settings, code and environment that differ, and every number that moved.

    Example: [bold]cenbench compare before.tar . --preset study --fail-if worse[/bold]

    The archive is made with [bold]cenbench results export before.tar --preset study[/bold].

    Next: [bold]cenbench claims[/bold] judges what was declared before the run.
    """
    import json

    from cenbench.files import write_text
    from cenbench.matrix.verdict_rules import load_verdict_rules
    from cenbench.report.comparison import build_comparison
    from cenbench.report.render_comparison import (
        lost,
        render_comparison,
        render_comparison_html,
        render_comparison_json,
    )

    paths = checkout(root)
    with ExitStack() as folders:
        first, second = (_side(text, preset, paths, folders) for text in (a, b))
        found = build_comparison(first, second, load_verdict_rules(paths.params).margins)
    if not found.numbers:
        problem = "A and B have no number in common"
        raise UserError(problem, found=f"{a}, {b}", fix="cenbench status shows which cells are finished")
    if html is not None:
        write_text(html, render_comparison_html(found))
        say(f"wrote {html}")
    if as_json:
        typer.echo(json.dumps(render_comparison_json(found), indent=2))
    else:
        wide_console().print(render_comparison(found))
    if fail_if is None:
        return
    if found.only_a:
        typer.echo(f"--fail-if {fail_if}: {lost(found)}", err=True)
    failing = found.moved if fail_if == "moved" else [one for one in found.numbers if one.word == "worse"]
    if failing or found.only_a:
        raise typer.Exit(1)


def _side(text: str, preset: str, paths: Paths, folders: ExitStack) -> Side:
    """What the text names: a path first, then a preset, a row, a cell of the preset, and a git revision."""
    from cenbench.matrix.plan import load_plan
    from cenbench.matrix.preset import preset_names
    from cenbench.report.read_sides import network_side, plan_side, row_cells
    from cenbench.run.revision_results import find_commit

    if Path(text).is_dir():
        there = checkout(Path(text))
        return plan_side(f"{text} (preset {preset})", load_plan(there.params, preset), there)
    plan = load_plan(paths.params, preset if text not in preset_names(paths.params) else text)
    if Path(text).is_file():
        return plan_side(f"{text} (preset {preset})", plan, _unpacked(Path(text), folders))
    if text == plan.preset:
        return plan_side(f"preset {text}", plan, paths)
    if (row := row_cells(text, plan)) is not None:
        return network_side(*row, paths)
    if text.endswith((".tar", ".gz")) or "/" in text:
        raise UserError("no such file or folder", where=Path(text))
    try:
        cell = find_cell(plan, text)
    except UserError as error:
        commit = find_commit(paths.root, text)
        if commit is None:
            error.expected = error.expected or "a cell, a preset, a row such as table7:3, a path, or a git revision"
            raise
        return _revision_side(text, commit, preset, paths, folders)
    return network_side(cell.id, (cell,), paths)


def _revision_side(text: str, commit: str, preset: str, paths: Paths, folders: ExitStack) -> Side:
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.report.read_sides import plan_side
    from cenbench.run.revision_results import revision_results

    folder = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="cenbench-compare-")))
    there = revision_results(paths.root, commit, preset, folder)
    name = f"{text} ({commit[:10]}, preset {preset})"
    return plan_side(name, load_plan(there.params, preset), Paths(there.results))


def _unpacked(file: Path, folders: ExitStack) -> Paths:
    from cenbench.paths import Paths
    from cenbench.run.archive import unpack

    folder = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="cenbench-compare-")))
    return Paths(unpack(file, folder / "clone"))
