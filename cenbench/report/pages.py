"""Writes the reports: each table in every format, a page per cell, and the index of all presets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.files import read_json_object, write_bytes, write_json, write_text
from cenbench.matrix.plan import Plan
from cenbench.records.read import CellRecord
from cenbench.regular_file import read_regular
from cenbench.report.cell_page import render_cell_page
from cenbench.report.claims import Claims
from cenbench.report.environment import page_templates
from cenbench.report.render_claims import FORMAT as CLAIMS_FORMAT
from cenbench.report.render_claims import (
    claims_metrics,
    render_claims_html,
    render_claims_json,
    render_claims_latex,
)
from cenbench.report.render_csv import render_csv
from cenbench.report.render_html import render_html
from cenbench.report.render_json import metrics_document, plots_frame, render_json
from cenbench.report.render_latex import FORMS, SPANS, render_latex, render_protocol
from cenbench.report.render_robustness import (
    render_robustness_csv,
    render_robustness_html,
    render_robustness_json,
    render_robustness_latex,
)
from cenbench.report.rendered import read_rendered
from cenbench.report.robustness import Robustness
from cenbench.report.table import Table, build_table


def render_tables(plan: Plan, names: Iterable[str], records: Mapping[str, CellRecord], reports: Path) -> None:
    """Write the named tables of the plan, and the pages of their cells, under `reports/<preset>/`.

    `records` holds (at least) every cell of these tables by id. The JSON is written last: if it exists, the rest is
    complete.
    """
    folder = reports / plan.preset
    for name in names:
        layout = plan.table(name)
        for cell in layout.cells:
            page = render_cell_page(plan.preset, records[cell.id], plan.tables_of(cell.id))
            _write_if_changed(folder / "cells" / f"{cell.id}.html", page)
        table = build_table(plan.preset, layout, records)
        write_text(folder / f"{name}.html", render_html(table))
        _write_latex(table, folder, name)
        write_text(folder / f"{name}.csv", render_csv(table))
        write_json(folder / f"{name}.json", render_json(table))


def _write_latex(table: Table, folder: Path, name: str) -> None:
    """`<name>.tex` for most papers; every other form, and the protocol for an appendix, in the folder `latex`."""
    write_text(folder / f"{name}.tex", render_latex(table))
    write_text(folder / "latex" / f"{name}-protocol.tex", render_protocol(table))
    for form in FORMS:
        for span in SPANS:
            write_text(folder / "latex" / f"{name}-{form}-{span}.tex", render_latex(table, form, span))


def render_index(plan: Plan, names: Iterable[str], reports: Path) -> None:
    """Write `reports/index.html`, which lists every rendered table, and the preset's files for DVC from the named ones.

    Tables that are not rendered yet are left out of both.
    """
    rendered = (read_rendered(reports / plan.preset / f"{name}.json") for name in names)
    tables = [table for table in rendered if table is not None]
    write_json(reports / plan.preset / "metrics.json", metrics_document(tables))
    plots = str(plots_frame(tables).to_csv(index=False, lineterminator="\n"))
    write_text(reports / plan.preset / "plots.csv", plots)
    _write_index(reports)


def _write_index(reports: Path) -> None:
    claims = {path.parent.name: words for path in sorted(reports.glob("*/claims.json")) if (words := _words(path))}
    robust = [path.parent.name for path in sorted(reports.glob("*/robustness.json"))]
    presets: dict[str, list[dict[str, Any]]] = {name: [] for name in (*claims, *robust)} | _presets(reports)
    page = page_templates().get_template("index.html").render(presets=presets, claims=claims, robust=robust)
    write_text(reports / "index.html", page)


def _words(path: Path) -> dict[str, int]:
    """How many claims get each word; empty for a file that is damaged or of another version."""
    try:
        document = read_json_object(path)
        return dict(document["words"]) if document["format"] == CLAIMS_FORMAT else {}
    except (UserError, KeyError, TypeError, ValueError):
        return {}


def render_claims_page(plan: Plan, claims: Claims, reports: Path) -> None:
    """Write the claims in every format under `reports/<preset>/`, the JSON last, and the index, which links them."""
    folder = reports / plan.preset
    write_text(folder / "claims.html", render_claims_html(claims))
    write_text(folder / "claims.tex", render_claims_latex(claims))
    write_json(folder / "claims-metrics.json", claims_metrics(claims))
    write_json(folder / "claims.json", render_claims_json(claims))
    _write_index(reports)


def render_robustness_page(plan: Plan, robustness: Robustness, reports: Path) -> None:
    """Write robustness in every format under `reports/<preset>/`, the JSON last, and the index."""
    folder = reports / plan.preset
    write_text(folder / "robustness.html", render_robustness_html(robustness))
    write_text(folder / "robustness.tex", render_robustness_latex(robustness))
    write_text(folder / "robustness.csv", render_robustness_csv(robustness))
    write_json(folder / "robustness.json", render_robustness_json(robustness))
    _write_index(reports)


def _write_if_changed(path: Path, page: str) -> None:
    """Skip an unchanged page: one changed cell renders its whole table again, which may have a thousand cells."""
    data = page.encode("utf-8")
    try:
        if read_regular(path, len(data)) == data:
            return
    except UserError:
        pass  # missing, or another page
    write_bytes(path, data)


def _presets(reports: Path) -> dict[str, list[dict[str, Any]]]:
    """preset -> its tables, as their JSON files say."""
    presets: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(reports.glob("*/table*.json")):
        if (table := read_rendered(path)) is not None:
            presets.setdefault(path.parent.name, []).append(_summary(path.stem, table))
    return presets


def _summary(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    words = Counter(value["verdict"]["word"] for entry in table["entries"] for value in entry["values"])
    return {
        "name": name,
        "number": number if (number := name.removeprefix("table")).isdigit() else None,
        "title": table["title"],
        "states": table["states"],
        "verdicts": dict(words.most_common()),
        "protocol": table["protocol"][-1],
    }
