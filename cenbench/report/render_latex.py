"""The table as LaTeX with booktabs and siunitx; compiles on its own and can be included in a paper with \\input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cenbench.matrix.layout import Column
from cenbench.matrix.metrics import metrics
from cenbench.report.environment import latex_templates
from cenbench.report.latex_arrangement import Arrangement, Panel, Span, arrange
from cenbench.report.latex_columns import Form, NumberColumn, head_lines, number_columns
from cenbench.report.latex_text import tex
from cenbench.report.latex_width import longest_word_pt, text_pt
from cenbench.report.short_names import SHORT_LABELS
from cenbench.report.table import Table
from cenbench.report.value import heading

FORMS: tuple[Form, ...] = ("both", "ours", "spread")
SPANS: tuple[Span, ...] = ("column", "page")
_RAGGED = r">{\raggedright\arraybackslash}"


def render_latex(table: Table, form: Form = "both", span: Span | None = None) -> str:
    """A float: `table` for one column of a paper, `table*` for its whole width.

    Without `span`, one column if the table fits there in one piece.
    """
    columns = number_columns(table, form)
    arrangement = arrange(table, columns, span or "column")
    if span is None:
        whole = arrangement.floats[0][0].columns == tuple(columns)
        span = "column" if whole else "page"
        arrangement = arrange(table, columns, span)
    return (
        latex_templates()
        .get_template("table.tex")
        .render(
            table=table,
            layout=table.layout,
            environment="table" if span == "column" else "table*",
            arrangement=arrangement,
            spec=lambda panel: _spec(panel, arrangement),
            head=lambda panel: list(_head(table, panel, arrangement)),
            group=lambda text, panel: _group(text, panel, arrangement),
            label=lambda row, place: _label(row, place, arrangement),
            note=_note(table, arrangement),
        )
    )


def render_protocol(table: Table) -> str:
    """How the table's numbers were made, as a paragraph for the appendix of a paper."""
    return latex_templates().get_template("protocol.tex").render(table=table, layout=table.layout)


def _spec(panel: Panel, arrangement: Arrangement) -> str:
    labels = "".join("l" if width is None else f"{_RAGGED}p{{{width:.1f}pt}}" for width in arrangement.wraps_pt)
    return labels + "".join(f"S[table-format={one.format}]" for one in panel.columns)


def _label(row: int, place: int, arrangement: Arrangement) -> str:
    """A row's label; where it wraps, also after the plus signs between modalities."""
    text = tex(arrangement.labels[row][place])
    return text if arrangement.wraps_pt[place] is None else text.replace("+", r"+\allowbreak{}")


def _head(table: Table, panel: Panel, arrangement: Arrangement) -> Iterator[str]:
    """The lines of the head, with rules between them; the headings of the labels stand in the last one."""
    layout = table.layout
    labels = [tex(name) for name in (layout.short_stub or layout.stub)]
    *above, last = head_lines(table, panel.columns)
    for line in above:
        yield " & " * len(labels) + " & ".join(_over(text, group, arrangement) for text, group in line) + r" \\"
        place, rules = len(labels) + 1, []
        for _, group in line:
            if len(group) > 1:
                rules.append(rf"\cmidrule(lr){{{place}-{place + len(group) - 1}}}")
            place += len(group)
        yield "".join(rules)
    yield " & ".join([*labels, *(_over(text, group, arrangement) for text, group in last)]) + r" \\"


def _over(text: str, group: Sequence[NumberColumn], arrangement: Arrangement) -> str:
    """A heading over the columns of a group, which wraps where it is wider than they are."""
    size, space = arrangement.size, arrangement.space_pt
    inside = sum(one.width_pt(size) for one in group) + 2 * space * (len(group) - 1)
    written = tex(text)
    if text_pt(text, size) > inside and len(text.split()) > 1:
        widest = max(inside, longest_word_pt(text, size))
        written = rf"\parbox[b]{{{widest:.1f}pt}}{{\centering {written}}}"
    return rf"\multicolumn{{{len(group)}}}{{c}}{{{written}}}"


def _group(text: str, panel: Panel, arrangement: Arrangement) -> str:
    """The line above the rows of a group, which wraps where it is wider than the table."""
    written, width = rf"\textbf{{{tex(text)}}}", panel.width_pt - 2 * arrangement.space_pt
    if text_pt(text, arrangement.size, bold=True) > width:
        broken = written.replace("+", r"+\allowbreak{}")
        written = rf"\parbox[t]{{{width:.1f}pt}}{{\raggedright {broken}}}"
    return rf"\multicolumn{{{len(arrangement.wraps_pt) + len(panel.columns)}}}{{l}}{{{written}}} \\"


def _is_cryptic(column: Column) -> bool:
    """Whether the short label is more than the beginning of the label."""
    return bool(column.short) and not column.label.startswith(column.short.rstrip("."))


def _note(table: Table, arrangement: Arrangement) -> list[str]:
    """What a reader needs below the table, a sentence each; the protocol has a file of its own."""
    layout = table.layout
    shown = [heading(metric) for metric in layout.metrics if not metrics()[metric].is_cost]
    ranked = "row" if layout.ranked == "columns" else "column and group" if layout.rows[0].group else "column"
    short = [f"{column.short}: {column.label}" for column in layout.columns if _is_cryptic(column)]
    used = {label for row in arrangement.labels for label in row}
    short += [f"{letter}: {label.lower()}" for label, letter in SHORT_LABELS.items() if letter in used]
    sentences = [", ".join(shown), f"Best of each {ranked} in bold", *(["; ".join(short)] if short else [])]
    if any(value.declared > 1 for entry in table.entries for value in entry.values):
        sentences.append("Means over seeds")
    if table.stand_ins:
        sentences.append(f"Not comparable with the paper's numbers, measured with {'; '.join(table.stand_ins)}")
    if table.imported:
        sentences.append(f"{table.imported} slots show imported weights, not trained here")
    return [f"{tex(sentence)}." for sentence in sentences if sentence]
