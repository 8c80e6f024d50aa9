"""What is written: complete, equal in every format, escaped, offline; LaTeX that compiles."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from checkout import REPOSITORY
from test_report_table import record

from cenbench.matrix.plan import Plan, load_plan
from cenbench.report.curves import chart, read_history, training_charts
from cenbench.report.pages import render_index, render_tables
from cenbench.report.render_latex import render_latex, tex
from cenbench.report.render_terminal import render_terminal
from cenbench.report.table import build_table
from cenbench.run.record import CellRecord

HOSTILE = "<script>alert('x')</script> \\input{/etc/passwd} 100% & _x_ #1 $y$ {z} ~ ^ | \" \N{SNOWMAN}"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(REPOSITORY / "params", "demo")


@pytest.fixture
def records(plan: Plan, tmp_path: Path) -> dict[str, CellRecord]:
    """Every state; one failed cell whose reason and log try to break out."""
    found = {}
    log = tmp_path / "a.log"
    log.write_text(f"a log with {HOSTILE}")
    for place, cell in enumerate(plan.cells.values()):
        stand_in = {"fid": "features of X", "kid_x100": "features of X"} if cell.task.target == "rgb" else {}
        found[cell.id] = replace(record(cell, 10.0 + place / 7, stand_in=stand_in), folder=tmp_path, log=log)
    first, second, third, fourth = list(plan.cells)[:4]
    found[first] = replace(record(plan.cells[first], None, "failed", f"bad: {HOSTILE}"), log=log)
    found[second] = record(plan.cells[second], None, "missing", "not run yet")
    found[third] = record(plan.cells[third], None, "skipped", "weights absent")
    found[fourth] = record(plan.cells[fourth], 12.0, "stale", "the training code changed since")
    return found


@pytest.fixture
def reports(plan: Plan, records: dict[str, CellRecord], tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    render_tables(plan, ["table7", "table8", "table9"], records, folder)
    render_index(plan, folder)
    return folder


class Page(HTMLParser):
    """Tags, links and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_link_leads_to_a_file_and_nothing_is_loaded_from_outside(reports: Path) -> None:
    pages = list(reports.rglob("*.html"))
    assert len(pages) == 1 + 3 + 27
    for path in pages:
        page = Page(path)
        assert "script" not in page.tags
        for link in page.links:
            assert link.startswith("data:image/png;base64,") or (path.parent / link).is_file(), (path, link)


def test_hostile_text_is_shown_and_does_nothing(reports: Path, plan: Plan) -> None:
    page = Page(reports / "demo" / "cells" / f"{next(iter(plan.cells))}.html")
    assert "<script>alert('x')</script>" in page.text
    assert "script" not in page.tags
    assert "<script>alert('x')</script>" in Page(reports / "demo" / "table7.html").text


def test_all_five_states_and_stand_ins_are_shown(reports: Path) -> None:
    page = Page(reports / "demo" / "table7.html").text
    for word in ("failed", "missing", "skipped", "stale", "weights absent", "the training code changed since"):
        assert word in page
    assert "† features of X" in Page(reports / "demo" / "table8.html").text


def test_formats_say_the_same(reports: Path, plan: Plan, records: dict[str, CellRecord]) -> None:
    for name in ("table7", "table8", "table9"):
        document = json.loads((reports / "demo" / f"{name}.json").read_text())
        lines = list(csv.DictReader(io.StringIO((reports / "demo" / f"{name}.csv").read_text())))
        values = [(entry, value) for entry in document["entries"] for value in entry["values"]]
        assert len(lines) == len(values) == len(plan.table(name).slots) * len(plan.table(name).metrics)
        page = Page(reports / "demo" / f"{name}.html").text
        table = build_table("demo", plan.table(name), records)
        shown = [value for entry in table.entries for value in entry.values]
        for line, (entry, value), displayed in zip(lines, values, shown, strict=True):
            assert line["metric"] == value["metric"]
            assert line["state"] == entry["state"]
            for key in ("paper", "ours"):
                number = float(line[key]) if line[key] else None
                assert number == value[key]
            assert displayed.ours_text in page
            assert displayed.paper_text in page


def test_metrics_for_dvc_hold_every_number_of_ours(reports: Path) -> None:
    metrics = json.loads((reports / "demo" / "metrics.json").read_text())
    document = json.loads((reports / "demo" / "table8.json").read_text())
    first = document["entries"][0]
    row = document["rows"][first["row"]]
    column = document["columns"][first["column"]]
    assert metrics["table8"][f"{row['group']} {row['labels'][0]}"][column] == {
        value["metric"]: value["ours"] for value in first["values"]
    }
    assert len((reports / "demo" / "plots.csv").read_text().splitlines()) == 1 + 33 + 96 + 72


def test_index_shows_every_preset_and_survives_a_damaged_one(reports: Path, plan: Plan) -> None:
    (reports / "other").mkdir()
    shutil.copy(reports / "demo" / "table7.json", reports / "other")
    (reports / "broken").mkdir()
    (reports / "broken" / "table7.json").write_text("{")
    render_index(plan, reports)
    text = Page(reports / "index.html").text
    assert "Preset demo" in text
    assert "Preset other" in text
    assert "broken" not in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (texlive)")
@pytest.mark.parametrize("name", ["table7", "table8"])
def test_latex_compiles_alone_and_inside_a_paper(reports: Path, tmp_path: Path, name: str) -> None:
    source = reports / "demo" / f"{name}.tex"
    outer = tmp_path / "paper.tex"
    outer.write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}"
        f"\\input{{{source}}}\\end{{document}}"
    )
    for file in (source, outer):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={tmp_path}", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        assert not re.search(r"^(Overfull|LaTeX Warning: Reference)", done.stdout, re.MULTILINE)


def test_latex_escapes_everything_it_would_act_on(plan: Plan, records: dict[str, CellRecord]) -> None:
    escaped = tex(HOSTILE)
    assert r"\textbackslash{}input\{" in escaped
    for letter in "%&_#$":
        assert not re.search(rf"(?<!\\){re.escape(letter)}", escaped), letter
    layout = replace(plan.table("table7"), title=HOSTILE)
    assert "\\input{/etc" not in render_latex(build_table("demo", layout, records))


def test_terminal_shows_ours_beside_the_papers(plan: Plan, records: dict[str, CellRecord]) -> None:
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    table = build_table("demo", plan.table("table7"), records)
    console.print(render_terminal(table))
    text = console.export_text()
    value = table.entries[-1].values[0]
    assert f"{value.ours_text} ({value.paper_text})" in text
    assert "failed" in text


def test_curves_keep_every_point_in_the_picture_and_in_order() -> None:
    drawn = chart("Losses", [1, 2, 3], {"a": [0.0, 5.0, 10.0], "b": [10.0, 10.0, 10.0]})
    points = [[float(part) for part in point.split(",")] for point in drawn.lines[0].points.split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    ys = [y for _, y in points]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2), "a straight line is drawn straight"
    assert all(0 <= y <= drawn.height for y in ys)
    assert drawn.lines[1].points.split()[0].split(",")[1] == drawn.lines[1].points.split()[-1].split(",")[1]


def test_history_is_split_into_losses_penalty_rate_and_shares() -> None:
    text = "step,epoch,nll_rgb,l1,lr,below_theta_rgb\n20,1,2.5,300,0.01,0\n40,2,1.5,200,0.01,0.25\n"
    assert read_history(text)["nll_rgb"] == [2.5, 1.5]
    assert [each.title.split()[0] for each in training_charts(text)] == ["Losses", "l1", "Learning", "Share"]
    assert training_charts("") == []
    assert training_charts("step,epoch,lr\n") == []
