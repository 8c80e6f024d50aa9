"""Arguments and options that several commands share, and what they accept, so that they read the same everywhere."""

from __future__ import annotations

import shlex
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cenbench.cli import completion
from cenbench.errors import UserError
from cenbench.matrix.table_name import figure_name, table_name
from cenbench.paths import Paths
from cenbench.regular_file import is_there
from cenbench.visible import visible

if TYPE_CHECKING:  # each command imports what it needs, so that the others start quickly
    from cenbench.matrix.cell import Cell
    from cenbench.matrix.plan import Plan


def given(text: str) -> str:
    """The text; `UserError` if it is blank. A shell passes an empty text for a variable that is not set."""
    if not text.strip():
        problem, fix = "an argument or the value of an option is empty", "give a value, or leave the option out"
        raise UserError(problem, found=repr(text), expected="a path or a name; the current folder is .", fix=fix)
    return text


def given_path(text: str | Path) -> Path:
    """The path; `UserError` for a blank text, which would stand for the current folder."""
    return Path(given(str(text)))


def output_file(text: str | Path) -> Path:
    """The path of a file to write; `UserError` if it is blank or a folder, so that no work is done in vain."""
    path = given_path(text)
    if path.is_dir() or str(text).endswith("/"):
        raise UserError("this is a folder", where=path, expected=f"a file to write, such as {path / 'FILE'}")
    return path


def output_folder(text: str | Path) -> Path:
    """The path of a folder to write to; `UserError` if it is blank or a file."""
    path = given_path(text)
    if is_there(path) and not path.is_dir():
        raise UserError("this is a file", where=path, expected="a folder to write to, which may be a new one")
    return path


Preset = Annotated[
    str,
    typer.Option(
        help="A preset of params/presets/: demo, study, paper, or your own.", autocompletion=completion.presets
    ),
]
Root = Annotated[
    Path,
    typer.Option(
        metavar="DIRECTORY",
        parser=given_path,
        help="The checkout to work in: holds params/, data/, results/, reports/.",
    ),
]
CellId = Annotated[
    str,
    typer.Argument(
        metavar="CELL",
        parser=given,
        help="The cell's id as in `cenbench plan`; a unique start of it, or of its hash, is enough.",
        autocompletion=completion.cells,
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto (CUDA if available).")]
TableName = Annotated[
    str,
    typer.Argument(
        metavar="TABLE|FIGURE",
        parser=table_name,
        help="A table or figure of the preset, e.g. table7, 7 or figure5.",
        autocompletion=completion.tables_and_figures,
    ),
]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        metavar="TABLE",
        parser=table_name,
        help="Only this table, e.g. table7 or 7; repeatable. Default: all tables.",
        autocompletion=completion.tables,
    ),
]
Figures = Annotated[
    list[str] | None,
    typer.Option(
        "--figure",
        metavar="FIGURE",
        parser=figure_name,
        help="Only this figure, e.g. figure7 or 7; repeatable. Default: all figures.",
        autocompletion=completion.figures,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]

_PIPED_WIDTH = 200
_LISTED = 10
_SHORTEST = 4
_FILES_OF_A_CELL = ("metrics.json", "history.csv", "provenance.json", "per_image.safetensors", "run.log")


def say(text: str) -> None:
    """Print a line, with every character that a terminal would act on made visible."""
    typer.echo(visible(text))


def wide_console() -> Console:
    """The terminal as it is; in a pipe, wide enough that no cell id wraps."""
    console = Console()
    return console if console.is_terminal else Console(width=_PIPED_WIDTH)


def checkout(root: Path) -> Paths:
    """The paths of the checkout at `root`; `UserError` if it is not one, naming a folder above that is."""
    if not is_checkout(root):
        above = next((folder for folder in root.resolve().parents if is_checkout(folder)), None)
        raise UserError(
            "not a cenbench checkout",
            where=root.resolve(),
            expected="a folder that holds params/presets/",
            fix=f"--root {above}" if above else "change to the checkout, or name it with --root",
        )
    return Paths(root)


def where_to_start(folder: Path) -> str | None:
    """What to type first, where `folder` is in no checkout; None inside of one."""
    if any(is_checkout(parent) for parent in (folder, *folder.resolve().parents)):
        return None
    installed = Path(__file__).parents[2]
    clone = "git clone URL && cd cenbench    (URL: the address or path from which you got cenbench)"
    get = f"cd {shlex.quote(str(installed))}" if is_checkout(installed) else clone
    return visible(
        f"cenbench works in a checkout of its repository, and this folder is in none: {folder.resolve()}\n\n"
        f"Start with:\n"
        f"  {get}\n"
        f"  make demo            trains the demo and writes reports/index.html; docs/start.md describes it\n\n"
        f"cenbench --help lists all commands; --root names a checkout from elsewhere."
    )


def is_checkout(folder: Path) -> bool:
    """Whether the folder holds presets."""
    return (folder / "params" / "presets").is_dir()


def find_cell(plan: Plan, text: str) -> Cell:
    """The cell whose id is `text`, or the only one whose id or hash begins with it, or whose hash ends with it.

    Abbreviations have at least four characters, as in git. The path of the cell's folder, as a shell completes it, is
    as good as its id. `UserError` if no cell matches, or more than one.
    """
    text = _last_part(text)
    if text in plan.cells or len(text) < _SHORTEST:
        return plan.cell(text)
    found = [cell_id for cell_id in plan.cells if _abbreviates(text, cell_id)]
    if len(found) > 1:
        raise UserError(
            f"{len(found)} cells of preset {plan.preset!r} match",
            found=text,
            expected="one of these ids, or a longer part of it:\n    " + "\n    ".join(found[:_LISTED]),
            fix=f"list all ids: cenbench plan --preset {plan.preset}" if len(found) > _LISTED else None,
        )
    return plan.cell(found[0] if found else text)


def _last_part(text: str) -> str:
    """The id at the end of a path such as results/cells/ID/ or reports/demo/cells/ID.html."""
    path = PurePath(text)
    part = path.parent.name if path.name in _FILES_OF_A_CELL else path.name
    return part.removesuffix(".html").removesuffix(".log") or text


def _abbreviates(text: str, cell_id: str) -> bool:
    hashed = cell_id.rpartition(".")[2]
    return cell_id.startswith(text) or hashed.startswith(text) or hashed.endswith(text)
