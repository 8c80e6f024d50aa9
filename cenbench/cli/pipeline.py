"""`cenbench pipeline`: the commands behind the stages of dvc.yaml. No parameter reaches a shell."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cenbench.cli.options import checkout

if TYPE_CHECKING:
    from cenbench.schedule.dag import Dag


def pipeline(
    stage: Annotated[
        Literal["check", "dataset", "tables", "claims", "pages"],
        typer.Argument(metavar="STAGE", help="A stage of dvc.yaml: check, dataset, tables, claims or pages."),
    ],
) -> None:
    """Run one stage of dvc.yaml, for the preset and tables that params/pipeline.yaml names.

    `dvc repro` calls this; there is rarely a reason to type it.

    Example: [bold]cenbench pipeline tables[/bold]
    """
    from cenbench.cli.claims import claims
    from cenbench.cli.data import prepare

    root = checkout(Path()).root
    asked = read_asked(root)
    if stage == "check":
        read_published(root, asked)
        return
    if stage == "dataset":
        prepare(preset=asked.plan.preset)
        return
    if stage == "claims":
        claims(preset=asked.plan.preset, write=True)
        return
    if stage == "pages":
        _publish(asked, *read_published(root, asked))
        return
    config = [f"preset={asked.plan.preset}", f"tables={','.join(asked.tables)}"]
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", "all_tables", "--config", *config])


def _publish(asked: Dag, tables: list[str], figures: list[str]) -> None:
    """Write the folder that DVC versions: these pages and the claims, and every file that they link to."""
    from cenbench.cli.claims import judged_claims
    from cenbench.cli.options import say
    from cenbench.cli.reports import planned_claims, records_of
    from cenbench.report.pages import render_published

    paths, plan = asked.paths, asked.plan
    records = records_of(paths, plan, plan.select(tables=tables, figures=figures))
    planned = planned_claims(paths, plan)
    claims = judged_claims(paths, plan, with_images=True) if planned else None
    render_published(plan, tables, figures, records, paths.published, paths.data, claims, planned)
    say(f"wrote {paths.published / 'index.html'}; open it in a browser")


def read_asked(root: Path) -> Dag:
    """The preset and tables of params/pipeline.yaml; `UserError` for an unknown key, preset or table."""
    from cenbench.errors import UserError
    from cenbench.matrix.pipeline import FILE, load_pipeline
    from cenbench.matrix.preset import preset_names
    from cenbench.matrix.validation import Issue, as_user_error, short_repr, spelling_hint
    from cenbench.schedule.dag import CONFIG_KEYS, Dag

    params = root / "params"
    spec, path = load_pipeline(params), params / FILE
    if (preset := spec.preset) not in (known := preset_names(params)):
        issue = Issue("preset", "unknown preset", short_repr(preset), ", ".join(known), spelling_hint(preset, known))
        raise as_user_error(path, [issue])
    try:
        return Dag.from_config({"preset": preset, "tables": spec.tables}, root)
    except UserError as error:
        error.where = path if error.key in CONFIG_KEYS else error.where or path
        raise


def read_published(root: Path, asked: Dag) -> tuple[list[str], list[str]]:
    """The tables and figures whose pages are put under version control; `UserError` for one that is not there."""
    from cenbench.matrix.pipeline import load_pipeline

    params = root / "params"
    return load_pipeline(params).published(asked.plan, params)
