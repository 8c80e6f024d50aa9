"""The table as Markdown, for issues and README files, and the BibTeX entry to cite with it."""

from __future__ import annotations

import re

from cenbench.report.table import Table
from cenbench.report.table_notes import notes_text
from cenbench.report.table_view import metric_columns, shown_numbers
from cenbench.report.value import heading

_MARKUP = re.compile(r"[\\|`*<\[\]]|(?<!\w)_|_(?!\w)|~(?=~)")
BIBTEX = """@inproceedings{wang2020cen,
  title     = {Deep Multimodal Fusion by Channel Exchanging},
  author    = {Wang, Yikai and Huang, Wenbing and Sun, Fuchun and Xu, Tingyang and Rong, Yu and Huang, Junzhou},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2020}
}"""


def render_markdown(table: Table) -> str:
    """Ours, with the paper's numbers in parentheses, under the table's heading and above its notes."""
    layout, columns = table.layout, metric_columns(table)
    numbers = shown_numbers(table, columns)
    heads = [*layout.stub, *(f"{layout.columns[one.column].label}: {heading(one.metric)}" for one in columns)]
    lines = [_line(heads), _line(["---"] * len(layout.stub) + ["---:"] * len(columns))]
    for number, row in enumerate(layout.rows):
        cells = []
        for place in range(len(columns)):
            shown = numbers.get((number, place))
            value = shown.value if shown else None
            paper = f" ({value.paper_text})" if value and value.paper is not None else ""
            mark = "\N{DAGGER}" if value and value.stand_in and value.ours_text else ""
            text = value.ours_text or (shown.slot.state if shown else "") if value else ""
            cells.append(f"{text}{mark}{paper}")
        labels = [f"{row.group}: {row.labels[0]}" if row.group else row.labels[0], *row.labels[1:]]
        lines.append(_line([*labels, *cells]))
    heads_above = [f"**{_plain(layout.heading)}.** Ours (paper)", ""]
    notes = [f"{_plain(line)}  " for line in notes_text(table).splitlines()]  # two spaces end a line in Markdown
    return "\n".join([*heads_above, *lines, "", *notes]).rstrip()


def _line(texts: list[str]) -> str:
    return "| " + " | ".join(_plain(text) for text in texts) + " |"


def _plain(text: str) -> str:
    """Text on one line, with a backslash before what Markdown would take for markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
