"""Writes the reports: each table and figure in every format, a page per cell, and what DVC versions of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cenbench.files import remove, replace_folder, write_bytes, write_json, write_text
from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.matrix.plan import Plan
from cenbench.paths import PUBLISHING
from cenbench.records.read import CellRecord
from cenbench.report.card import card, figure_card
from cenbench.report.cell_pages import write_cell_pages
from cenbench.report.claims import Claims
from cenbench.report.csv_text import csv_text
from cenbench.report.dataset_pages import render_datasets
from cenbench.report.figures.build import build_figure
from cenbench.report.index import index_lock, write_index
from cenbench.report.render_claims import (
    claim_files,
    render_claims_html,
    render_claims_json,
    render_claims_latex,
)
from cenbench.report.render_csv import render_csv
from cenbench.report.render_figure import (
    render_figure_csv,
    render_figure_html,
    render_figure_json,
    render_figure_pdf,
    render_figure_png,
)
from cenbench.report.render_html import render_html
from cenbench.report.render_json import metric_files, plots_frame, render_json
from cenbench.report.render_latex import FORMS, SPANS, render_latex, render_protocol
from cenbench.report.render_robustness import (
    render_robustness_csv,
    render_robustness_html,
    render_robustness_json,
    render_robustness_latex,
)
from cenbench.report.rendered import read_rendered
from cenbench.report.robustness import Robustness
from cenbench.report.scenes import scenes, thumbnail
from cenbench.report.table import Table, build_table
from cenbench.report.table_claims import table_claims


def render_pages(
    plan: Plan,
    records: Mapping[str, CellRecord],
    reports: Path,
    *,
    tables: Sequence[str] = (),
    figures: Sequence[str] = (),
    claims: Sequence[PlannedClaim] = (),
) -> None:
    """Write these tables and figures of the plan, and the page of each cell that they show, under `reports/<preset>/`.

    `records` holds every cell of theirs by id, and those that their cells' pages show (`related_cells`): one that it
    lacks is shown as missing. The JSON of a table or figure is written last: if it exists, the rest of it is complete.
    """
    folder = reports / plan.preset
    shown = [cell for name in tables for cell in plan.table(name).cells]
    shown += [cell for name in figures for cell in plan.figure(name).cells]
    write_cell_pages(plan, shown, records, folder)
    for name in tables:
        _write_table(plan, name, records, folder, claims)
    for name in figures:
        _write_figure(plan, name, records, folder)


def _write_table(
    plan: Plan, name: str, records: Mapping[str, CellRecord], folder: Path, claims: Sequence[PlannedClaim]
) -> None:
    layout = plan.table(name)
    table = build_table(plan.preset, layout, records)
    decided, blocks = table_claims(plan.preset, claims, layout, records), scenes(table, records)
    write_text(folder / f"{name}.html", render_html(table, records, decided, blocks))
    _write_latex(table, folder, name)
    write_text(folder / f"{name}.csv", render_csv(table))
    shown = {"card": card(table, records, decided, thumbnail(blocks))}
    write_json(folder / f"{name}.json", render_json(table) | shown)


def _write_latex(table: Table, folder: Path, name: str) -> None:
    """`<name>.tex` for most papers; every other form, and the protocol for an appendix, in the folder `latex`."""
    write_text(folder / f"{name}.tex", render_latex(table))
    write_text(folder / "latex" / f"{name}-protocol.tex", render_protocol(table))
    for form in FORMS:
        for span in SPANS:
            write_text(folder / "latex" / f"{name}-{form}-{span}.tex", render_latex(table, form, span))


def _write_figure(plan: Plan, name: str, records: Mapping[str, CellRecord], folder: Path) -> None:
    figure = build_figure(plan.preset, plan.figure(name), records)
    write_text(folder / f"{name}.html", render_figure_html(figure))
    write_bytes(folder / f"{name}.pdf", render_figure_pdf(figure))
    png = render_figure_png(figure)
    write_bytes(folder / f"{name}.png", png)
    write_text(folder / f"{name}.csv", render_figure_csv(figure))
    write_json(folder / f"{name}.json", render_figure_json(figure) | {"card": figure_card(figure, records, png)})


def render_index(plan: Plan, names: Iterable[str], reports: Path) -> None:
    """Write the files for DVC from the named tables, and `reports/index.html`, which lists all that is rendered.

    Tables that are not rendered yet are left out of both.
    """
    rendered = (read_rendered(reports / plan.preset / f"{name}.json") for name in names)
    tables = [table for table in rendered if table is not None]
    _write_folder(reports / plan.preset / "metrics", metric_files(tables))
    plots = csv_text(plots_frame(tables))
    write_text(reports / plan.preset / "plots.csv", plots)
    write_index(reports)


def render_published(
    plan: Plan,
    tables: Sequence[str],
    figures: Sequence[str],
    records: Mapping[str, CellRecord],
    folder: Path,
    data: Path,
    claims: Claims | None = None,
    planned: Sequence[PlannedClaim] = (),
) -> None:
    """Write a folder of its own that holds the pages of these tables and figures, and every file that they link to.

    It takes the place of an older one at once; `claims` are the judged ones, whose page is left out without them.
    """
    fresh = folder.with_name(folder.name + PUBLISHING)
    remove(fresh)
    render_pages(plan, records, fresh, tables=tables, figures=figures, claims=planned)
    render_datasets((cell.dataset for name in tables for cell in plan.cells_of(name)), data, fresh / plan.preset)
    if claims is not None:
        render_claims_page(plan, claims, fresh)
    write_index(fresh)
    remove(index_lock(fresh))
    replace_folder(fresh, folder)


def render_claims_page(plan: Plan, claims: Claims, reports: Path) -> None:
    """Write the claims in every format under `reports/<preset>/`, the JSON last, and the index, which links them."""
    folder = reports / plan.preset
    write_text(folder / "claims.html", render_claims_html(claims))
    write_text(folder / "claims.tex", render_claims_latex(claims))
    _write_folder(folder / "claims-metrics", claim_files(claims))
    write_json(folder / "claims.json", render_claims_json(claims))
    write_index(reports)


def render_robustness_page(plan: Plan, robustness: Robustness, reports: Path) -> None:
    """Write robustness in every format under `reports/<preset>/`, the JSON last, and the index."""
    folder = reports / plan.preset
    write_text(folder / "robustness.html", render_robustness_html(robustness))
    write_text(folder / "robustness.tex", render_robustness_latex(robustness))
    write_text(folder / "robustness.csv", render_robustness_csv(robustness))
    write_json(folder / "robustness.json", render_robustness_json(robustness))
    write_index(reports)


def _write_folder(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Write these JSON files as a folder that takes the place of the old one, which may have others."""
    fresh = folder.with_name(folder.name + PUBLISHING)
    remove(fresh)
    fresh.mkdir(parents=True)
    for name, content in files.items():
        write_json(fresh / name, dict(content))
    replace_folder(fresh, folder)
