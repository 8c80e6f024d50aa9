"""`cenbench pipeline`: what the stages of dvc.yaml run. No parameter is put into a command line that a shell reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from cenbench.run.dag import Dag

FILE = "params/pipeline.yaml"


def pipeline(
    stage: Annotated[Literal["dataset", "tables"], typer.Argument(help="Which stage of dvc.yaml.")],
) -> None:
    """Run one stage of dvc.yaml for the preset and tables of params/pipeline.yaml; `dvc repro` calls it."""
    from cenbench.cli.data import prepare

    asked = read_asked(Path())
    if stage == "dataset":
        prepare(preset=asked.plan.preset)
        return
    config = [f"preset={asked.plan.preset}", f"tables={','.join(asked.tables)}"]
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", "all_tables", "--config", *config])


def read_asked(root: Path) -> Dag:
    """What params/pipeline.yaml asks for; a `UserError` for an unknown key, preset or table."""
    from cenbench.errors import UserError
    from cenbench.matrix.yaml_file import read_yaml
    from cenbench.run.dag import CONFIG_KEYS, Dag

    asked = read_yaml(root / FILE)
    for key in CONFIG_KEYS:
        if not isinstance(asked.get(key), str):
            raise UserError("a text is wanted", where=root / FILE, key=key, found=asked.get(key), expected="a name")
    try:
        return Dag.from_config(asked, root)
    except UserError as error:
        error.where = root / FILE if error.key in asked else error.where or root / FILE
        raise
