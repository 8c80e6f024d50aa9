"""Tables in LaTeX fit a paper's column or page, in type that can be read: compiled there, and measured in the PDF."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from checkout import REPOSITORY
from latex_paper import ONE_COLUMN, TWO_COLUMNS, has_siunitx, pdflatex, type_sizes
from test_report_table import cost, record, seeds

from cenbench.matrix.plan import Plan, load_plan
from cenbench.report.latex_arrangement import Span
from cenbench.report.latex_columns import Form
from cenbench.report.render_latex import FORMS, SPANS, render_latex, render_protocol
from cenbench.report.table import Table, build_table

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (texlive)")
SMALLEST_PT = 6.0
TABLES = tuple(f"table{number}" for number in range(1, 10))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(REPOSITORY / "params", "paper")


def filled(plan: Plan, name: str) -> Table:
    """The table with three seeds in every slot, numbers as wide as they come, and a slot whose seeds are incomplete."""
    layout = seeds(plan.table(name), 1, 2, 3)
    widest = {"miou_pct": 41.7, "fid": 188.4}
    records = {
        cell.id: record(cell, widest.get(layout.metrics[0], 12.3) + cell.seed / 7, parameters=cost(9))
        for cell in layout.cells
    }
    first = layout.cells[0]
    records[first.id] = record(first, None, "missing", "not run yet")
    return build_table("paper", layout, records)


def trouble(log: str) -> list[str]:
    """What LaTeX reports about boxes and floats that do not fit."""
    return [line for line in log.splitlines() if line.startswith("Overfull") or "Float too large" in line]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("span", SPANS)
def test_every_table_fits_a_paper_in_type_that_can_be_read(plan: Plan, tmp_path: Path, form: Form, span: Span) -> None:
    inputs = ""
    for name in TABLES:
        (tmp_path / f"{name}.tex").write_text(render_latex(filled(plan, name), form, span))
        inputs += rf"\input{{{name}}}\clearpage" + "\n"
    preamble = r"\usepackage{booktabs,siunitx}\begin{document}"
    documents = [TWO_COLUMNS] if span == "column" else [TWO_COLUMNS, ONE_COLUMN]
    for document in documents:
        log = pdflatex(f"{document}{preamble}\n{inputs}\\end{{document}}", tmp_path)
        assert not trouble(log)
        sizes = type_sizes(tmp_path / "paper.pdf")
        assert min(sizes) >= SMALLEST_PT, sizes
        assert sum(sizes.values()) > 100 * len(TABLES), "the tables are in the PDF"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_compiles_alone(plan: Plan, tmp_path: Path, name: str) -> None:
    log = pdflatex(render_latex(filled(plan, name)), tmp_path, name)
    assert not trouble(log)
    assert min(type_sizes(tmp_path / f"{name}.pdf")) >= SMALLEST_PT


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TABLES)
def test_columns_of_siunitx_are_as_wide_as_their_numbers(plan: Plan, name: str, form: Form) -> None:
    """`2 of 3` once counted as six digits, so that siunitx, but not its stand-in here, made every column too wide."""
    formats, table = 0, filled(plan, name)
    labels = len(table.layout.stub)
    tabulars = re.findall(
        r"\\begin\{tabular\}\{([^\n]*)\}\n(.*?)\\end\{tabular\}", render_latex(table, form), re.DOTALL
    )
    for spec, body in tabulars:
        rows = [line.removesuffix("\\\\").split("&") for line in body.split("\\midrule", 1)[1].splitlines()]
        for place, declared in enumerate(re.findall(r"S\[table-format=([^]]*)\]", spec), start=labels):
            cells = [row[place].replace(r"\bfseries", "").strip() for row in rows if len(row) > place]
            numbers = [re.fullmatch(r"(\d+)\.?(\d*)(?: \\pm (\d+)\.?(\d*))?", cell) for cell in cells]
            found = [number.groups(default="") for number in numbers if number]
            if not found:
                continue  # every slot of the column lacks a seed
            whole, decimals = (max(len(one[part]) for one in found) for part in (0, 1))
            spread = max(len((one[2] + one[3]).lstrip("0")) or bool(one[2]) for one in found)
            assert declared == f"{whole}.{decimals}" + (f"({spread})" if spread else "")
            formats += 1
    assert formats


@pytest.mark.skipif(not has_siunitx(), reason="needs siunitx: apt-get install texlive-science")
def test_the_other_tests_compile_with_siunitx_itself(tmp_path: Path) -> None:
    """Where it is not installed, they use a stand-in that centres numbers instead of aligning them."""
    source = r"\documentclass{article}\usepackage{siunitx}\begin{document}\num{1.5}\end{document}"
    assert "siunitx.sty" in pdflatex(source, tmp_path)
    assert not (tmp_path / "siunitx.sty").exists()


def test_the_protocol_is_a_paragraph_for_the_appendix(plan: Plan, tmp_path: Path) -> None:
    table = filled(plan, "table7")
    (tmp_path / "table7.tex").write_text(render_latex(table))
    (tmp_path / "protocol.tex").write_text(render_protocol(table))
    body = r"\usepackage{booktabs,siunitx}\begin{document}\input{table7}\clearpage\input{protocol}\end{document}"
    assert not trouble(pdflatex(TWO_COLUMNS + body, tmp_path))
    assert table.layout.protocol_lines[0][:20] not in render_latex(table)


def test_the_measured_size_counts_scaled_boxes(tmp_path: Path) -> None:
    """The test above would pass a table shrunk by \\resizebox if scaling were not counted."""
    source = r"\documentclass{article}\usepackage{graphicx}\begin{document}\scalebox{0.5}{Half}\end{document}"
    pdflatex(source, tmp_path)
    assert min(type_sizes(tmp_path / "paper.pdf")) == pytest.approx(5.0, abs=0.1)


def test_the_forms_hold_what_they_name(plan: Plan) -> None:
    table = filled(plan, "table7")
    both, ours, spread = (render_latex(table, form) for form in FORMS)
    assert both.count("paper") > ours.count("paper")
    assert r"\pm" in spread
    assert r"\pm" not in both + ours
    assert "2 of 3" in both, "a slot with a missing seed shows how many count, and no mean"
    assert re.search(r"\\begin\{table\}\[tbp\]", both)
    assert r"\begin{table*}" in render_latex(table, "both", "page")
