"""The table as an HTML page: every text escaped, nothing loaded from outside, complete without its script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cenbench.matrix.layout import Slot
from cenbench.matrix.metrics import metrics
from cenbench.records.read import CellRecord
from cenbench.report.card import finding
from cenbench.report.curves import Chart, chart, read_history
from cenbench.report.environment import page_templates
from cenbench.report.markdown import BIBTEX, render_markdown
from cenbench.report.per_class import class_names, class_text
from cenbench.report.render_latex import render_latex
from cenbench.report.scatter import scatter_chart
from cenbench.report.scenes import Scenes
from cenbench.report.short_names import first_sentence, short_row
from cenbench.report.slope import slope_charts
from cenbench.report.table import Table
from cenbench.report.table_claims import TableClaim, claim_cards
from cenbench.report.table_view import JUDGED, metric_columns, shown_numbers
from cenbench.report.value import heading

MARKS = {
    "reproduced": "\N{CHECK MARK}",
    "off": "\N{BALLOT X}",
    "inconclusive": "?",
    "not comparable": "\N{NOT TILDE}",
    "none": "",
}
_MOST_FACTORS = 12
_POINTS = 60


def render_html(
    table: Table,
    records: Mapping[str, CellRecord] | None = None,
    claims: Sequence[TableClaim] = (),
    blocks: Sequence[Scenes] = (),
) -> str:
    """The page of a table: with the claims that it decides, sample pictures and, from `records`, scaling factors."""
    verdicts = [value.verdict for entry in table.entries for value in entry.values]
    incomparable = Counter(verdict.why for verdict in verdicts if verdict.word == "not comparable")
    words = Counter(verdict.word for verdict in verdicts if verdict.word != "none")
    known = records or {}
    columns = metric_columns(table)
    return (
        page_templates()
        .get_template("table.html")
        .render(
            table=table,
            layout=table.layout,
            facts=_facts(table),
            miniature=_miniature(table),
            finding=finding(claims),
            cards=claim_cards(claims),
            unmeasured=[claim for claim in claims if claim.effect is None],
            slopes=slope_charts(table),
            columns=columns,
            numbers=shown_numbers(table, columns),
            judged_words=JUDGED,
            titles={metric: metrics()[metric].title for metric in table.layout.metrics},
            decimals={metric: metrics()[metric].decimals for metric in table.layout.metrics},
            heading=heading,
            short_row=short_row,
            marks=MARKS,
            verdicts={} if set(words) == {"not comparable"} else dict(words.most_common()),
            whys=dict(incomparable.most_common()),
            scenes=blocks,
            factors=list(_factors(table, known)) if known else [],
            scatter=scatter_chart(table, known),
            classes=class_names(table.per_class),
            class_text=class_text,
            latex=render_latex(table),
            markdown=render_markdown(table),
            bibtex=BIBTEX,
        )
    )


def _facts(table: Table) -> list[str]:
    """Preset, networks, seeds and how many slots are finished."""
    networks = {slot.cells[0].id for slot in table.layout.slots}
    seeds = max((len(slot.cells) for slot in table.layout.slots), default=0)
    finished = sum(entry.state == "ok" for entry in table.entries)
    return [
        f"preset {table.preset}",
        f"{len(networks)} networks",
        f"{seeds} seed{'s' if seeds != 1 else ''}",
        f"{finished} of {len(table.entries)} slots finished",
    ]


def _miniature(table: Table) -> str:
    """What the numbers were measured on, where none of them can be compared with the paper's; otherwise empty."""
    words = {value.verdict.word for entry in table.entries for value in entry.values}
    if "not comparable" not in words or words & set(JUDGED):
        return ""
    return first_sentence(table.layout.protocol_lines[0]) if table.layout.protocol_lines else ""


def _network(table: Table, slot: Slot) -> str:
    """What tells it from the table's other networks: its row or, where columns are ranked, its group and column."""
    layout = table.layout
    if layout.ranked == "rows":
        return short_row(layout, slot.row)
    return ", ".join(filter(None, [layout.rows[slot.row].group, layout.columns[slot.column].head]))


def _factors(table: Table, records: Mapping[str, CellRecord]) -> Iterator[Chart]:
    """The share of scaling factors below the threshold by step, for the first networks that constrain any."""
    names = {slot.cells[0].id: _network(table, slot) for slot in reversed(table.layout.slots)}
    drawn = 0
    for cell in table.layout.cells:
        if cell.id not in names or cell.l1 == "none" or records[cell.id].state != "ok" or drawn == _MOST_FACTORS:
            continue
        history = read_history(records[cell.id].history)
        series = {name: values for name, values in history.items() if name.startswith("below_theta_")}
        if series:
            every = max(1, len(history["step"]) // _POINTS)
            thinned = {name: values[::every] for name, values in series.items()}
            drawn += 1
            yield chart(names[cell.id], history["step"][::every], thinned)
