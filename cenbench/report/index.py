"""reports/index.html: a card for every table and figure that is rendered, of all presets, found by their JSON files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cenbench.data.png_uri import png_uri
from cenbench.errors import UserError
from cenbench.files import write_text
from cenbench.matrix.figure import figure_order
from cenbench.matrix.table_name import table_order
from cenbench.regular_file import read_regular
from cenbench.report.card import readable_card
from cenbench.report.environment import page_templates
from cenbench.report.judged_claims import read_judged
from cenbench.report.rendered import RenderedFigure, read_rendered, read_rendered_figure
from cenbench.report.short_names import first_sentence
from cenbench.work_lock import work_lock

_LARGEST_STRIP = 400_000
"""Bytes of a dataset's picture on the index; a larger one is left out."""


def write_index(reports: Path) -> None:
    """Write `reports/index.html`. Several processes may render at once: the last one to write has seen every file."""
    with work_lock(index_lock(reports), "the index of the reports"):
        write_text(reports / "index.html", render_index_html(reports))


def index_lock(reports: Path) -> Path:
    """The file that is locked while the index is written."""
    return reports / ".index.lock"


def render_index_html(reports: Path) -> str:
    """The index as HTML: a function of the files under `reports` alone."""
    judged = {path.parent.name: found for path in sorted(reports.glob("*/claims.json")) if (found := read_judged(path))}
    robust = [path.parent.name for path in sorted(reports.glob("*/robustness.json"))]
    figures, datasets = _figures(reports), _datasets(reports)
    presets: dict[str, list[dict[str, Any]]] = {name: [] for name in (*judged, *robust, *figures)}
    presets |= _presets(reports)
    page = page_templates().get_template("index.html")
    return page.render(
        presets=presets,
        judged=judged,
        robust=robust,
        figures=figures,
        datasets=datasets,
        readable_card=readable_card,
        first_sentence=first_sentence,
    )


def _presets(reports: Path) -> dict[str, list[dict[str, Any]]]:
    """preset -> its tables, as their JSON files say."""
    presets: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(reports.glob("*/table*.json"), key=lambda path: (path.parent.name, table_order(path.stem))):
        if (table := read_rendered(path)) is not None:
            presets.setdefault(path.parent.name, []).append(_summary(path.stem, table))
    return presets


def _figures(reports: Path) -> dict[str, list[RenderedFigure]]:
    """preset -> its figures, the paper's by number and then ours, as their JSON files say."""
    figures: dict[str, list[RenderedFigure]] = {}
    for path in sorted(reports.glob("*/figure[0-9-]*.json"), key=lambda path: figure_order(path.stem)):
        if (figure := read_rendered_figure(path)) is not None:
            figures.setdefault(path.parent.name, []).append(figure)
    return figures


def _datasets(reports: Path) -> dict[str, dict[str, str]]:
    """preset -> key of each dataset with a contact sheet -> its picture as a data URI, empty if it cannot be read."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(reports.glob("*/datasets/*.html")):
        try:
            data = read_regular(path.with_suffix(".png"), _LARGEST_STRIP)
        except UserError:
            data = b""
        uri = png_uri(data) if data else ""
        found.setdefault(path.parent.parent.name, {})[path.stem] = uri
    return found


def _summary(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    words = Counter(value["verdict"]["word"] for entry in table["entries"] for value in entry["values"])
    return {
        "name": name,
        "number": number if (number := name.removeprefix("table")).isdigit() else None,
        "title": table["title"],
        "states": table["states"],
        "verdicts": {} if set(words) <= {"none", "not comparable"} else dict(words.most_common()),
        "protocol": table["protocol"][-1],
        "card": readable_card(table.get("card")),
    }
