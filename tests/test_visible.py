"""Text from files reaches terminals and pages as text: nothing in it is acted on, and nothing in it is hidden."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from cell_pages import shown_alone
from checkout import REPOSITORY
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from test_report_table import record

from cenbench.cli.options import say
from cenbench.matrix.plan import load_plan
from cenbench.matrix.preset import Text
from cenbench.records.read import CellRecord
from cenbench.report.cell_page import render_cell_page
from cenbench.report.environment import page_templates
from cenbench.report.render_html import render_html
from cenbench.report.table import build_table
from cenbench.report.terminal import add_row, borderless
from cenbench.report.terminal_table import render_terminal
from cenbench.visible import is_hidden, visible

HIDDEN = (
    *("\x00", "\x07", "\x1b", "\x7f", "\x9b", "\xad", "\u034f", "\u061c", "\u115f", "\u180e", "\u200b", "\u200e"),
    *("\u2028", "\u202e", "\u2060", "\u2066", "\u2800", "\u3164", "\ufe0f", "\ufeff", "\ufff9", "\ud800"),
    *("\U000e0001", "\U000e0041", "\U000e0100", "\U0001d173"),
    "\U0001d159",
    "\U0001107f",
    "\U00016fe4",
)
NAMED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of controls, formats (which change directions), surrogates, unassigned, and separators."""


@pytest.mark.parametrize("letter", HIDDEN, ids=lambda letter: f"U+{ord(letter):04X}")
def test_hidden_characters_become_visible_and_are_refused_in_params(letter: str) -> None:
    assert visible(f"a{letter}b") == "a?b"
    with pytest.raises(ValidationError):
        TypeAdapter(Text).validate_python(f"a{letter}b")


def test_every_control_and_format_character_is_hidden_and_ordinary_text_is_not() -> None:
    characters = map(chr, range(sys.maxunicode + 1))
    found = {letter for letter in characters if unicodedata.category(letter) in NAMED and not is_hidden(letter)}
    assert found == {"\n", "\t"}
    assert visible("Ünï±−×†↑ λ→ 中文 עברית 😀 a b\n\tc") == "Ünï±−×†↑ λ→ 中文 עברית 😀 a b\n\tc"


EVIL = "\x1b[31m\x1b]0;title\x07\u202eevil[bold red]x[/] [/] \u3164"


def printed(shown: object) -> str:
    console = Console(width=200, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(shown)
    return console.file.getvalue()


def evil_record(folder: Path) -> tuple[object, dict[str, CellRecord]]:
    layout = load_plan(REPOSITORY / "params", "demo").table("table7")
    records = {cell.id: record(cell, 1.0) for cell in layout.cells}
    first = layout.cells[0]
    records[first.id] = replace(record(first, None, "failed", EVIL), folder=folder)
    return replace(layout, title=EVIL, footers=(EVIL,), protocol_lines=(EVIL,)), records


def test_terminal_tables_show_markup_and_escapes_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = borderless("class", title=EVIL)
    add_row(table, EVIL)
    layout, records = evil_record(tmp_path)
    say(EVIL)
    for text in (
        printed(table),
        printed(render_terminal(build_table("demo", layout, records), 200)),
        capsys.readouterr().out,
    ):
        assert "evil[bold red]x[/] [/]" in text
        assert not any(is_hidden(letter) for letter in text)


def test_pages_show_hidden_characters(tmp_path: Path) -> None:
    layout, records = evil_record(tmp_path)
    failed = next(found for found in records.values() if found.state == "failed")
    for page in (
        render_html(build_table("demo", layout, records)),
        render_cell_page("demo", failed, shown_alone(failed.cell, "table7")),
    ):
        assert "evil[bold red]x[/] [/]" in page
        assert not any(is_hidden(letter) for letter in page)
    assert page_templates().from_string("{{ x }}").render(x="a\u202eb") == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_show_prints_in_any_encoding(encoding: str) -> None:
    """On a terminal without arrows, daggers and minus signs, their stand-ins are printed."""
    done = subprocess.run(
        [sys.executable, "-m", "cenbench", "show", "7"],
        cwd=REPOSITORY, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=True,
    )  # fmt: skip
    text = done.stdout.decode(encoding)
    assert "Table 7." in text
    assert ("Mean IoU (%) \N{UPWARDS ARROW}" if encoding == "utf-8" else "Mean IoU (%) ^") in text
    assert "?" not in text


def test_stand_ins_of_numbers_keep_their_meaning() -> None:
    written = "\\u22120.5 \\xb1 0.1 \\xd710 \\u4e2d"
    code = f"from cenbench.cli.output_encoding import *; accept_any_encoding(); print('{written}')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "-0.5 +- 0.1 x10 ?\n"
