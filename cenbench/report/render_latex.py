"""The table as LaTeX with booktabs; compiles on its own and can be included in a paper with \\input."""

from __future__ import annotations

from cenbench.report.environment import latex_templates
from cenbench.report.latex_text import tex
from cenbench.report.table import Table
from cenbench.report.value import FilledSlot, Value


def render_latex(table: Table) -> str:
    return (
        latex_templates()
        .get_template("table.tex")
        .render(table=table, layout=table.layout, slot=_slot, ours=_ours, paper=_paper)
    )


def _slot(table: Table, row: int, column: int) -> FilledSlot | None:
    return table.entry(row, column)


def _paper(entry: FilledSlot | None) -> str:
    if entry is None:
        return ""
    if all(value.paper is None for value in entry.values):
        return ""
    return " / ".join(tex(value.paper_text or "-") for value in entry.values)


def _ours(entry: FilledSlot | None) -> str:
    """The numbers, best ones bold; the state where there is none."""
    if entry is None:
        return ""
    state = "" if entry.state == "ok" else rf"\emph{{{tex(entry.state_text)}}}"
    if not any(value.numbers for value in entry.values):
        return state
    return " ".join([" / ".join(map(_number, entry.values)), *([state] if state else [])])


def _number(value: Value) -> str:
    text = tex(value.ours_text or "-")
    shown = rf"\textbf{{{text}}}" if value.best else text
    return shown + (r"$^\dagger$" if value.stand_in else "")
