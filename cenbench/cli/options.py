"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Preset = Annotated[str, typer.Option(help="A preset of params/presets/: demo, study, paper, or your own.")]
Root = Annotated[Path, typer.Option(help="The checkout: holds params/, data/, results/, reports/.", file_okay=False)]
