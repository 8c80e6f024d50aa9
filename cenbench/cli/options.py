"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Preset = Annotated[str, typer.Option(help="A preset of params/presets/: demo, study, paper, or your own.")]
Root = Annotated[Path, typer.Option(help="The checkout: holds params/, data/, results/, reports/.", file_okay=False)]

_PIPED_WIDTH = 200


def wide_console() -> Console:
    """The terminal as it is; in a pipe wide enough that no cell id is broken over lines."""
    console = Console()
    return console if console.is_terminal else Console(width=_PIPED_WIDTH)
