"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Preset = Annotated[str, typer.Option(help="A preset of params/presets/: demo, study, paper, or your own.")]
Root = Annotated[
    Path, typer.Option(help="The checkout to work in: holds params/, data/, results/, reports/.", file_okay=False)
]
CellId = Annotated[str, typer.Argument(metavar="CELL", help="The cell's id, as `cenbench plan` prints it.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto (CUDA if available).")]
Tables = Annotated[
    list[str] | None, typer.Option("--table", help="Only this table, e.g. table7; repeatable. Default: all tables.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for scripts (see docs/status.md).")]

_PIPED_WIDTH = 200


def wide_console() -> Console:
    """The terminal as it is; in a pipe, wide enough that no cell id wraps."""
    console = Console()
    return console if console.is_terminal else Console(width=_PIPED_WIDTH)
