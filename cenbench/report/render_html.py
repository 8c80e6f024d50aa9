"""The table as an HTML page: every text escaped, no script, nothing loaded from outside."""

from __future__ import annotations

from collections import Counter

from cenbench.report.environment import page_templates
from cenbench.report.per_class import class_names, class_text
from cenbench.report.table import Table
from cenbench.report.value import heading

MARKS = {
    "reproduced": "\N{CHECK MARK}",
    "off": "\N{BALLOT X}",
    "inconclusive": "?",
    "not comparable": "\N{NOT TILDE}",
    "none": "",
}


def render_html(table: Table) -> str:
    """The page of a table."""
    verdicts = [value.verdict for entry in table.entries for value in entry.values]
    incomparable = Counter(verdict.why for verdict in verdicts if verdict.word == "not comparable")
    words = Counter(verdict.word for verdict in verdicts if verdict.word != "none")
    page = page_templates().get_template("table.html")
    return page.render(
        table=table,
        layout=table.layout,
        heading=heading,
        marks=MARKS,
        verdicts=dict(words.most_common()),
        whys=dict(incomparable.most_common()),
        classes=class_names(table.per_class),
        class_text=class_text,
    )
