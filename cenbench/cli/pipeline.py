"""`cenbench pipeline`: what the stages of dvc.yaml run. No parameter is put into a command line that a shell reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

FILE = "params/pipeline.yaml"


def pipeline(
    stage: Annotated[Literal["dataset", "tables"], typer.Argument(help="Which stage of dvc.yaml.")],
) -> None:
    """Run one stage of dvc.yaml for the preset and tables of params/pipeline.yaml; `dvc repro` calls it."""
    from cenbench.cli.data import prepare
    from cenbench.errors import UserError
    from cenbench.matrix.yaml_file import read_yaml
    from cenbench.run.dag import CONFIG_KEYS, Dag

    root = Path()
    asked = read_yaml(root / FILE)
    for key in CONFIG_KEYS:
        if not isinstance(asked.get(key), str):
            raise UserError("a text is wanted", where=root / FILE, key=key, found=asked.get(key), expected="a name")
    preset = Dag.from_config(asked, root).plan.preset  # an unknown preset, table or key is told here
    if stage == "dataset":
        prepare(preset=preset)
        return
    config = [f"{key}={asked[key]}" for key in CONFIG_KEYS]
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", "all_tables", "--config", *config])
