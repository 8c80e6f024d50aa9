"""`cenbench claims`: what the finished cells show of the claims in params/claims.yaml."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cenbench.cli.options import Json, Preset, Root, checkout, say, wide_console

if TYPE_CHECKING:
    from cenbench.matrix.plan import Plan
    from cenbench.paths import Paths
    from cenbench.report.claims import Claims


def claims(
    preset: Preset = "demo",
    write: Annotated[
        bool, typer.Option("--write", help="Write them to reports/PRESET/ as HTML, LaTeX and JSON.")
    ] = False,
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Judge the claims of params/claims.yaml by the cells that are finished. Trains nothing.

    Example: [bold]cenbench claims --preset study[/bold]

    Next: [bold]snakemake claims --config preset=study[/bold] trains the cells that are missing, and writes the page.
    """
    import json

    from cenbench.matrix.plan import load_plan
    from cenbench.report.pages import render_claims_page
    from cenbench.report.render_claims import render_claims_json
    from cenbench.report.terminal_claims import render_claims

    paths = checkout(root)
    plan = load_plan(paths.params, preset)
    found = judged_claims(paths, plan, with_images=write or as_json)
    if write:
        render_claims_page(plan, found, paths.reports)
        say(f"wrote {paths.reports / preset / 'claims.html'}")
    elif as_json:
        typer.echo(json.dumps(render_claims_json(found), indent=2))
    else:
        console = wide_console()
        console.print(render_claims(found, console.width))


def judged_claims(paths: Paths, plan: Plan, *, with_images: bool) -> Claims:
    """The claims, judged by the cells that are finished; with intervals over test images, which take longer.

    A claim with one seed has no others, so its own are always looked for.
    """
    from cenbench.matrix.claim_pairs import plan_claims
    from cenbench.matrix.robustness import load_robustness
    from cenbench.records.corollary import read_corollary
    from cenbench.records.read import read_record
    from cenbench.records.registration import declared, why_unregistered
    from cenbench.records.robustness import read_robustness
    from cenbench.report.claim_images import image_intervals
    from cenbench.report.claims import build_claims

    planned = plan_claims(paths.params, plan)
    cells = {cell.id: cell for claim in planned for cell in claim.cells}
    records = {cell_id: read_record(paths, cell) for cell_id, cell in cells.items()}
    asked = [claim for claim in planned if with_images or claim.has_one_seed]
    intervals = {claim.name: image_intervals(claim, records) for claim in asked}
    known = {name: found for name, found in intervals.items() if found is not None}
    spec = load_robustness(paths.params)
    robustness = {
        cell.id: read_robustness(paths, records[cell.id], spec.conditions(cell))
        for claim in planned
        for cell in claim.cells
        if claim.spec.under
    }
    checked = [cell for claim in planned if claim.spec.check for cell in claim.cells]
    corollary = {cell.id: read_corollary(paths, records[cell.id]) for cell in checked}
    when = declared(paths, plan, planned)
    found = build_claims(plan.preset, planned, records, when, known, robustness, corollary)
    return replace(found, unregistered=why_unregistered(paths, plan))
