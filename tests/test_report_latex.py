"""Labels and captions may hold any text: LaTeX prints it, in every font encoding, and acts on none of it."""

from __future__ import annotations

import re
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from checkout import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st
from latex_paper import pdflatex
from test_report_table import record

from cenbench.matrix.plan import load_plan
from cenbench.report.latex_text import tex
from cenbench.report.render_latex import render_latex
from cenbench.report.table import Table, build_table

needs_pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (texlive)")
LABELS = (
    "［5pt] wide", "＊ wide",
    "[5pt] like an option", "*", "* starred", " [1]", "(lr)", "λ → 0", "α, β and Γ ≤ Ω", "ΑΒΕ", "a <- b << c >> d",
    "«quoted» „low“", "Þórður", "đŋ", "naïve café, Ångström, Žižek, ą", "--epochs ---", "``x''", "?`!`", "½ of 10² m₀",
    "100 % & #1 $x_1$ {y}", "^~|\\", "中文", "x\u202ey\u200b", "line\nbreak\ttab", "✓ ✗", "\\end{tabular}", "",
)  # fmt: skip


def table(labels: tuple[str, ...]) -> Table:
    """Table 7 of the demo preset, with these as its row labels, headings, footers and caption."""
    layout = load_plan(REPOSITORY / "params", "demo").table("table7")
    rows = tuple(
        replace(row, labels=(label, *row.labels[1:]))
        for row, label in zip(layout.rows * (len(labels) // len(layout.rows) + 1), labels, strict=False)
    )
    slots = tuple(replace(layout.slots[0], row=number) for number in range(len(rows)))
    columns = tuple(replace(column, label=label) for column, label in zip(layout.columns, labels, strict=False))
    layout = replace(
        layout, rows=rows, slots=slots, columns=columns, stub=labels[: len(layout.stub)], caption=" ".join(labels),
        footers=labels, protocol_lines=(),
    )  # fmt: skip
    return build_table("demo", layout, {cell.id: record(cell, 1.0) for cell in layout.cells})


def compiled(source: str, folder: Path) -> str:
    return pdflatex(source, folder, "table")


@needs_pdflatex
@pytest.mark.parametrize("encoding", ["OT1", "T1"])
def test_hostile_labels_compile_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    source = render_latex(table(LABELS))
    preamble = rf"\documentclass{{article}}\usepackage{{booktabs,siunitx}}\usepackage[{encoding}]{{fontenc}}"
    log = compiled(f"{preamble}\\begin{{document}}\n{source}\n\\end{{document}}", tmp_path)
    assert "Missing character" not in log
    assert "unavailable in encoding" not in log


@needs_pdflatex
def test_hostile_labels_compile_alone(tmp_path: Path) -> None:
    compiled(render_latex(table(LABELS)), tmp_path)


@needs_pdflatex
@pytest.mark.parametrize("first", range(0, 0x3000, 0x800))
def test_every_character_compiles(tmp_path: Path, first: int) -> None:
    """Latin, Greek, Cyrillic, ..., arrows and symbols, a few thousand characters per document."""
    text = "\n\n".join(tex(chr(code)) + " x" for code in range(first, first + 0x800))
    log = compiled(f"\\documentclass{{article}}\\begin{{document}}\n{text}\n\\end{{document}}", tmp_path)
    assert "Missing character" not in log


@given(st.text())
def test_the_source_is_ascii_and_has_no_bare_special_character(text: str) -> None:
    written = tex(text)
    assert written.isascii()
    assert written.isprintable()
    for letter in "%&#_":
        assert not re.search(rf"(?<!\\){letter}", re.sub(r"\$_\{", "", written)), "only tex's own subscripts are bare"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("［x]", "{}[x]"), ("＊x", "{}*x"), ("⅓ ℃ ㎲", r"1/3 $^\circ$C $\mu$s"),
        ("[x]", "{}[x]"), ("*x", "{}*x"), (" [x]", "{} [x]"), ("x [y]*", "x [y]*"),
        ("λ", r"$\lambda$"), ("Λ", r"$\Lambda$"), ("Α", "A"), ("ά", r"$\alpha$"), ("→", r"$\rightarrow$"),
        ("þ", "th"), ("«", r"$\ll$"), ("é", r"\'{e}"), ("ï", r'\"{\i}'), ("ç", r"\c{c}"), ("ą", "a"),
        ("m²", r"m\textsuperscript{2}"), ("x₀", "x$_{0}$"), ("--", "-{}-"), ("–", "--"), ("中", "U+4E2D"),
        ("–-", "--{}-"), ("-–", "-{}--"),
        ("?‘", "?{}`"), ("!“", "!{}``"), ("‘“", "`{}``"), ("\"'", "''{}'"), ("ϕ", r"$\phi$"), ("‹x›", "$<$x$>$"),
        ("„x", ",{},x"),
        ("a\u202eb", "a b"), ("a\u3164b", "a b"), ("×", r"$\times$"), ("±", r"$\pm$"),
    ],
)  # fmt: skip
def test_what_a_text_becomes(text: str, written: str) -> None:
    assert tex(text) == written


def test_no_character_by_itself_is_an_option_or_beyond_ascii() -> None:
    """Wide and small forms stand for plain characters, brackets and stars among them."""
    compatible = [chr(code) for code in range(0x20, 0x30000) if unicodedata.decomposition(chr(code))]
    assert len(compatible) > 5000
    for written in map(tex, compatible):
        assert written.isascii()
        assert not written.lstrip().startswith(("[", "*"))
