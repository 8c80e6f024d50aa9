"""`cenbench compare`: what differs between two cells, rows, presets, checkouts or archives."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cenbench.cli.options import (
    Json,
    Preset,
    Root,
    checkout,
    find_cell,
    given,
    is_checkout,
    output_file,
    say,
    wide_console,
)
from cenbench.errors import UserError

if TYPE_CHECKING:
    from cenbench.matrix.cell import Cell
    from cenbench.matrix.plan import Plan
    from cenbench.paths import Paths
    from cenbench.report.sides import Side

_SIDE = (
    "A preset, a row such as table7:3, a cell or its folder, another checkout, an archive of "
    "`cenbench results export`, or a git revision that tracks such an archive."
)
_EXPECTED = "a cell, a preset, a row such as table7:3, a path, or a git revision"


def compare(
    a: Annotated[str, typer.Argument(metavar="A", parser=given, help=_SIDE)],
    b: Annotated[str, typer.Argument(metavar="B", parser=given, help="The same; B is judged against A.")],
    preset: Preset = "demo",
    fail_if: Annotated[
        Literal["worse", "moved"] | None,
        typer.Option(
            help="Exit with status 1 if a number is worse, or if any moved; or if B lacks a value of A, or a record is "
            "damaged."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=output_file, help="Write the comparison as a page to this file."),
    ] = None,
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
        damaged,
        lost,
        render_comparison,
        render_comparison_html,
        render_comparison_json,
    )

    paths = checkout(root)
    with ExitStack() as folders:
        first, second = (_side(text, preset, paths, folders) for text in (a, b))
        if fail_if is not None and first.is_same(second):
            problem = "A and B are the same results, so --fail-if can find no difference"
            fix = "name two results, such as before.tar of `cenbench results export` and . (this checkout)"
            raise UserError(problem, found=f"{a}, {b}", fix=fix)
        found = build_comparison(first, second, load_verdict_rules(paths.params).margins)
    if not found.numbers:
        problem = "A and B have no number in common"
        what = "\n    ".join([f"{a}, {b}", *damaged(found)])
        raise UserError(problem, found=what, fix="cenbench status shows which cells are finished")
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
    for line in damaged(found):
        typer.echo(f"--fail-if {fail_if}: {line}", err=True)
    failing = found.moved if fail_if == "moved" else [one for one in found.numbers if one.word == "worse"]
    if failing or found.only_a or damaged(found):
        raise typer.Exit(1)


def _side(text: str, preset: str, paths: Paths, folders: ExitStack) -> Side:
    """What the text names: a path first, then a preset, a row, a cell of the preset, and a git revision."""
    from cenbench.files import as_text
    from cenbench.matrix.plan import load_plan
    from cenbench.matrix.preset import preset_names
    from cenbench.paths import Paths
    from cenbench.report.read_sides import network_side, plan_side, row_cells
    from cenbench.run.revision_results import find_commit

    path = Path(text)
    if path.is_dir() and is_checkout(path):
        there = Paths(path)
        return plan_side(f"{as_text(text)} (preset {preset})", load_plan(there.params, preset), there)
    plan = load_plan(paths.params, preset if text not in preset_names(paths.params) else text)
    if (found := _cell_in(path, plan)) is not None:
        cell, there = found
        return network_side(as_text(text), (cell,), there)
    if path.is_file():
        there = _unpacked(path, folders)
        side = plan_side(f"{as_text(text)} (preset {preset})", _own_plan(path, there, plan), there)
        return replace(side, origin=str(path.resolve()))
    if text == plan.preset:
        return plan_side(f"preset {text}", plan, paths)
    if (row := row_cells(text, plan)) is not None:
        return network_side(*row, paths)
    try:
        cell = find_cell(plan, text)
    except UserError as error:
        if (commit := find_commit(paths.root, text)) is not None:
            return _revision_side(text, commit, preset, paths, folders)
        if path.is_dir():
            checkout(path)  # raises, and names a checkout above the folder
        if text.endswith((".tar", ".gz")) or "/" in text:
            problem = "no such file or folder, and no such git revision"
            raise UserError(problem, found=text, expected=_EXPECTED) from None
        error.expected = error.expected or _EXPECTED
        raise
    return network_side(cell.id, (cell,), paths)


def _cell_in(path: Path, plan: Plan) -> tuple[Cell, Paths] | None:
    """The cell whose folder the path is, or a file of which it is, and the checkout that holds the folder."""
    from cenbench.paths import Paths

    folder = (path.parent if path.is_file() else path).absolute()
    cell, there = plan.cells.get(folder.name), Paths(folder.parent.parent.parent)
    return (cell, there) if cell is not None and folder.is_dir() and there.cell(cell) == folder else None


def _revision_side(text: str, commit: str, preset: str, paths: Paths, folders: ExitStack) -> Side:
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths
    from cenbench.report.read_sides import plan_side
    from cenbench.run.revision_results import revision_results

    folder = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="cenbench-compare-")))
    there = revision_results(paths.root, commit, preset, folder)
    name = f"{text} ({commit[:10]}, preset {preset})"
    return replace(plan_side(name, load_plan(there.params, preset), Paths(there.results)), origin=commit)


def _own_plan(archive: Path, there: Paths, plan: Plan) -> Plan:
    """The preset as the archive declares it: its cells may have other parameters. Archives of older versions hold no
    params, and are read with those of this checkout.
    """
    from cenbench.matrix.plan import load_plan

    if not there.params.is_dir():
        return plan
    try:
        return load_plan(there.params, plan.preset)
    except UserError as error:
        problem = "the params in the archive are not valid for this version of cenbench"
        fix = "compare two checkouts instead (docs/compare.md)"
        raise UserError(problem, where=archive, found=error.problem, fix=fix) from error


def _unpacked(file: Path, folders: ExitStack) -> Paths:
    from cenbench.paths import Paths
    from cenbench.run.archive import unpack

    folder = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="cenbench-compare-")))
    return Paths(unpack(file, folder / "clone"))
