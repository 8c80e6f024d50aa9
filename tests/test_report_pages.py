"""The written reports are complete, the same in every format, escaped and offline; the LaTeX compiles."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import REPOSITORY
from rich.console import Console
from test_report_table import cost, record
from tiny_dataset import write_dataset_of

from cenbench.files import write_json
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import dataset_key
from cenbench.records.read import CellRecord
from cenbench.report import cell_pages, terminal_table
from cenbench.report.cell_context import context_of
from cenbench.report.cell_page import render_cell_page
from cenbench.report.claims import build_claims
from cenbench.report.curves import chart, read_history, training_charts
from cenbench.report.latex_text import tex
from cenbench.report.pages import render_index, render_pages, render_published
from cenbench.report.render_csv import render_csv
from cenbench.report.render_html import render_html
from cenbench.report.render_json import file_name, metric_files, render_json
from cenbench.report.render_latex import render_latex
from cenbench.report.table import Table, build_table

HOSTILE = "<script>alert('x')</script> \\input{/etc/passwd} 100% & _x_ #1 $y$ {z} ~ ^ | \" \N{SNOWMAN}"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(REPOSITORY / "params", "demo")


@pytest.fixture
def records(plan: Plan, tmp_path: Path) -> dict[str, CellRecord]:
    """Cells in every state; the reason and log of the failed one try to break out of the page."""
    found = {}
    log = tmp_path / "a.log"
    log.write_text(f"a log with {HOSTILE}")
    for place, cell in enumerate(plan.cells.values()):
        stand_in = {"fid": "features of X", "kid_x100": "features of X"} if cell.task.target == "rgb" else {}
        made = record(cell, 10.0 + place / 7, stand_in=stand_in, parameters=cost(place))
        found[cell.id] = replace(made, folder=tmp_path, log=log)
    first, second, third, fourth = [cell.id for cell in plan.cells_of("table7")[:4]]
    found[first] = replace(record(plan.cells[first], None, "failed", f"bad: {HOSTILE}"), log=log)
    found[second] = record(plan.cells[second], None, "missing", "not run yet")
    found[third] = record(plan.cells[third], None, "skipped", "weights absent")
    found[fourth] = record(plan.cells[fourth], 12.0, "stale", "the training code changed since")
    return found


@pytest.fixture
def reports(plan: Plan, records: dict[str, CellRecord], tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    render_pages(plan, records, folder, tables=["table7", "table8", "table9"])
    render_index(plan, [layout.name for layout in plan.tables], folder)
    return folder


class Page(HTMLParser):
    """Tags, links, text and table cells of a page, given by its path or as text."""

    def __init__(self, page: Path | str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.cells: list[str] = []
        self.feed(page if isinstance(page, str) else page.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
        self.links += [value or "" for name, value in attributes if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cells:
            self.cells[-1] += data


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a link holds a picture, or points to a place in the page or to a file beside it."""
    inside = link.startswith(("data:image/png;base64,", "#"))
    return inside or (page.parent / link.partition("#")[0]).is_file()


def test_every_link_points_to_a_file_and_nothing_is_loaded_from_outside(reports: Path) -> None:
    pages = list(reports.rglob("*.html"))
    assert len(pages) == 1 + 3 + 27
    for path in pages:
        page = Page(path)
        assert page.tags.count("script") == 1, "its own, which the page's security policy names by digest"
        for link in page.links:
            assert leads_somewhere(path, link), (path, link)


def test_a_table_rendered_alone_has_no_dead_links(plan: Plan, records: dict[str, CellRecord], tmp_path: Path) -> None:
    """`snakemake table2` renders no other table, so its pages name the tables of a shared cell without linking them."""
    folder = tmp_path / "alone"
    render_pages(plan, records, folder, tables=["table2"])
    render_index(plan, [layout.name for layout in plan.tables], folder)
    pages = list(folder.rglob("*.html"))
    assert len(pages) == 1 + 1 + 35
    for path in pages:
        for link in Page(path).links:
            assert leads_somewhere(path, link), (path, link)
    [ours] = plan.select(tables=["table2"], method="exchange").cells
    page = Page(folder / "demo" / "cells" / f"{ours}.html")
    assert "shown in table2, table7" in page.text
    anchors = [f"../../index.html#demo-{name}" for name in plan.shown_in(ours)]
    assert [link for link in page.links if "#demo-" in link] == anchors, "in the index, which is there"
    text = Page(folder / "index.html").text
    assert "Fusion methods for RGB-D" in text
    assert "Ablation" not in text, "a table that was not rendered is not in the index"
    assert {path.parent.name for path in (folder / "demo" / "metrics").glob("*/*.json")} == {"table2"}


def test_published_pages_are_complete_wherever_they_are_copied(
    plan: Plan, records: dict[str, CellRecord], tmp_path: Path
) -> None:
    """What DVC versions is pulled into clones that have no reports: every link has to lead to a published file."""
    published, data = tmp_path / "published", tmp_path / "data"
    [spec] = {cell.dataset for cell in plan.cells_of("table7")}
    write_dataset_of(spec, data, {"rgb": np.full((spec.scenes, *spec.shape_px, 3), 90, np.uint8)})
    (published / "demo").mkdir(parents=True)
    (published / "demo" / "table2.html").write_text("a page that is not listed any more")
    claims = build_claims("demo", (), {}, {})
    render_published(plan, ["table7", "table8"], ["figure5"], records, published, data, claims)
    shutil.copytree(published, tmp_path / "clone" / "anywhere")
    pages = list((tmp_path / "clone").rglob("*.html"))
    names = {path.name for path in pages}
    assert {"index.html", "claims.html", "table7.html", "figure5.html", f"{dataset_key(spec)}.html"} <= names
    assert "table2.html" not in names
    for path in pages:
        for link in Page(path).links:
            assert leads_somewhere(path, link), (path, link)
    assert sorted(tmp_path.glob("published*")) == [published]
    assert not list(published.rglob(".*"))


def test_unchanged_cell_pages_are_not_rewritten(reports: Path, plan: Plan, records: dict[str, CellRecord]) -> None:
    pages = reports / "demo" / "cells"
    damaged, changed, *same = [cell.id for cell in plan.cells_of("table8")]
    (pages / f"{damaged}.html").write_bytes(b"\xff cut sho")
    before = {path.name: path.stat().st_mtime_ns for path in pages.iterdir()}
    now = {**records, changed: record(plan.cells[changed], None, "missing", "its folder was deleted")}
    render_pages(plan, now, reports, tables=["table8"])
    after = {path.name: path.stat().st_mtime_ns for path in pages.iterdir()}
    shade_and_texture = [cell.id for cell in plan.cells_of("table8") if cell.task == plan.cells[changed].task]
    assert {name for name in before if after[name] != before[name]} == {
        f"{name}.html" for name in (damaged, *shade_and_texture)
    }, "the other cells of its row show that it is missing"
    assert "its folder was deleted" in (pages / f"{changed}.html").read_text()
    assert damaged in (pages / f"{damaged}.html").read_text()
    assert len(same) == 10


def test_the_page_of_a_cell_that_several_tables_and_figures_show_is_rendered_once(
    plan: Plan, records: dict[str, CellRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []

    def counted(preset: str, record: CellRecord, *others: Any) -> str:
        rendered.append(record.cell.id)
        return render_cell_page(preset, record, *others)

    monkeypatch.setattr(cell_pages, "render_cell_page", counted)
    render_pages(plan, records, tmp_path, tables=["table2", "table7"], figures=["figure5"])
    shown = [*plan.cells_of("table2"), *plan.cells_of("table7"), *plan.figure("figure5").cells]
    assert sorted(rendered) == sorted({cell.id for cell in shown})
    assert len(rendered) < len(shown)


def test_hostile_text_is_shown_but_not_executed(reports: Path, plan: Plan) -> None:
    page = Page(reports / "demo" / "cells" / f"{plan.cells_of('table7')[0].id}.html")
    assert "<script>alert('x')</script>" in page.text
    assert page.tags.count("script") == 1
    assert "<script>alert('x')</script>" in Page(reports / "demo" / "table7.html").text


def test_all_five_states_and_stand_ins_are_shown(reports: Path) -> None:
    page = Page(reports / "demo" / "table7.html").text
    for word in ("failed", "missing", "skipped", "stale", "weights absent", "the training code changed since"):
        assert word in page
    assert "† features of X" in Page(reports / "demo" / "table8.html").text


def test_all_formats_hold_the_same_numbers(reports: Path, plan: Plan, records: dict[str, CellRecord]) -> None:
    render_pages(plan, records, reports, tables=["table2"])
    for name in ("table2", "table7", "table8", "table9"):
        document = json.loads((reports / "demo" / f"{name}.json").read_text())
        lines = list(csv.DictReader(io.StringIO((reports / "demo" / f"{name}.csv").read_text())))
        values = [(entry, value) for entry in document["entries"] for value in entry["values"]]
        columns = plan.table(name).columns
        assert len(lines) == len(values) == sum(len(columns[slot.column].metrics) for slot in plan.table(name).slots)
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


def test_metrics_for_dvc_hold_all_our_numbers(reports: Path) -> None:
    for name in ("table7", "table8"):
        files = (reports / "demo" / "metrics" / name).glob("*.json")
        written = Counter(number for path in files for number in json.loads(path.read_text()).items())
        document = json.loads((reports / "demo" / f"{name}.json").read_text())
        values = [value for entry in document["entries"] for value in entry["values"]]
        assert written == Counter((value["metric"], value["ours"]) for value in values if value["ours"] is not None)
        assert written
    assert len((reports / "demo" / "plots.csv").read_text().splitlines()) == 1 + 33 + 96 + 72


def test_index_shows_every_preset_and_survives_a_damaged_one(reports: Path, plan: Plan) -> None:
    table = json.loads((reports / "demo" / "table7.json").read_text())
    write_json(reports / "other" / "table7.json", table | {"preset": "other"})
    (reports / "broken").mkdir()
    (reports / "broken" / "table7.json").write_text("{")
    render_index(plan, [layout.name for layout in plan.tables], reports)
    text = Page(reports / "index.html").text
    assert "Preset demo" in text
    assert "Preset other" in text
    assert "broken" not in text


def test_latex_escapes_every_special_character(plan: Plan, records: dict[str, CellRecord]) -> None:
    escaped = tex(HOSTILE)
    assert r"\textbackslash{}input\{" in escaped
    for letter in "%&_#$":
        assert not re.search(rf"(?<!\\){re.escape(letter)}", escaped), letter
    layout = replace(plan.table("table7"), title=HOSTILE)
    assert "\\input{/etc" not in render_latex(build_table("demo", layout, records))


@pytest.fixture
def two(plan: Plan, records: dict[str, CellRecord]) -> Table:
    """Table 2: three columns of mean IoU, and one column of three costs."""
    return build_table("demo", plan.table("table2"), records)


def test_a_column_with_its_own_metrics_in_html(two: Table) -> None:
    cells = [cell.strip() for cell in Page(render_html(two)).cells]
    heads = [cells.index(next(cell for cell in cells if cell.startswith(label))) for label in ("RGB", "Depth")]
    assert all("Mean IoU" in cells[place] and "Parameters" not in cells[place] for place in heads)
    [cost_head] = [cell for cell in cells if cell.startswith("Cost")]
    assert cost_head == "Cost"
    assert {"Parameters (M)", "for fusion (M)", "GFLOP"} <= set(cells), "each cost has a column"
    entry = two.entry(34, 3)
    assert entry is not None
    assert {value.ours_text for value in entry.values} <= set(cells)
    assert not any("\N{PLUS-MINUS SIGN}" in cell for cell in cells[:-1]), "the last one holds the text below the table"


def test_a_column_with_its_own_metrics_in_latex(two: Table) -> None:
    text = render_latex(two)
    rows = [line for line in text.splitlines() if line.startswith(("Ours &", "Concat &", "Uni-modal &"))]
    assert len(rows) == 2 + 4 + 4 + 1
    for place, line in zip((0, 1, 2, 34), (rows[0], rows[1], rows[2], rows[-1]), strict=True):
        parts = [part.strip().removesuffix("\\\\").strip() for part in line.split("&")]
        assert len(parts) == 2 + 2 * 3 + 3, "two labels, paper and ours of three columns, and three costs of ours"
        entry = two.entry(place, 3)
        assert entry is not None
        assert parts[-3:] == [value.ours_text for value in entry.values]
        filled = [two.entry(place, column) is not None for column in range(3)]
        assert [bool(part) for part in parts[3:9:2]] == filled, "no number if the row has no such output"
    assert r"\bfseries" not in "".join("".join(row.split("&")[-3:]) for row in rows), "no cost is the best"
    for title in ("Mean IoU", "Param. (M)", "Fusion (M)", "GFLOP"):
        assert title in text


def test_a_column_with_its_own_metrics_in_csv(two: Table) -> None:
    lines = list(csv.DictReader(io.StringIO(render_csv(two))))
    assert len(lines) == (1 + 3) * 2 + (1 + 3) * 16 + (3 + 3) * 17
    assert {line["metric"] for line in lines if line["column"] != "Cost"} == {"miou_pct"}
    costs = [line for line in lines if line["column"] == "Cost"]
    assert [line["metric"] for line in costs] == ["params_m", "fusion_params_m", "gflops"] * 35
    assert {(line["best"], line["spread"], line["paper"], line["verdict"]) for line in costs} == {
        ("False", "", "", "none")
    }


def test_a_column_with_its_own_metrics_in_json(two: Table) -> None:
    document = json.loads(json.dumps(render_json(two)))
    assert document["metrics"] == ["miou_pct", "params_m", "fusion_params_m", "gflops"]
    cost_column = document["columns"].index("Cost")
    for entry in document["entries"]:
        metrics = [value["metric"] for value in entry["values"]]
        assert metrics == (document["metrics"][1:] if entry["column"] == cost_column else ["miou_pct"])
    files = metric_files([document])
    assert set(files["table2/1-Uni-modal-RGB.RGB.json"]) == {"miou_pct"}
    assert set(files["table2/1-Uni-modal-RGB.Cost.json"]) == {"params_m", "fusion_params_m", "gflops"}
    numbers = [value for entry in document["entries"] for value in entry["values"] if value["ours"] is not None]
    assert sum(map(len, files.values())) == len(numbers), "no two slots share a file"


def test_the_page_of_a_cell_states_its_fusion_and_cost(plan: Plan, records: dict[str, CellRecord]) -> None:
    cells = plan.select(tables=["table2"], method="concat", glob="*.concat-early-merged.*").cells
    [cell_id] = cells
    page = Page(render_cell_page("demo", records[cell_id], context_of(plan, plan.cells[cell_id])))
    assert "concat (early), merged into one stream, unshared convs" in page.text
    assert "shown in table2" in page.text
    counted = records[cell_id].document["parameters"]
    assert f"Parameters: {counted['total']:,}, of which {counted['fusion']:,} for fusion." in page.text
    assert "Forward pass of one scene: 23.46 GFLOP." in page.text
    assert {"fused", "ensemble"} <= set(page.cells)
    assert "rgb" not in page.cells, "a modality has no output of its own"


def printed(table: Table, width: int) -> str:
    """The table as a terminal of that width shows it, with styles."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal_table.render_terminal(table, width))
    return console.export_text(styles=True)


def test_the_terminal_shows_our_number_beside_the_papers(plan: Plan, records: dict[str, CellRecord]) -> None:
    table = build_table("demo", plan.table("table7"), records)
    text = printed(table, 200)
    value = table.entries[-1].values[0]
    assert f"{value.ours_text} ({value.paper_text})" in text
    assert "failed" in text


@pytest.mark.parametrize("name", ["table2", "table6", "table7", "table8"])
def test_a_terminal_shows_rows_drawn_together_as_rich_draws_their_text(
    plan: Plan, records: dict[str, CellRecord], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing wraps, rows are drawn together by an object of ours, which is much faster."""
    table = build_table("demo", plan.table(name), records)
    ours, columns = printed(table, 300), terminal_table._columns
    monkeypatch.setattr(
        terminal_table, "_columns", lambda rows: [terminal_table._text(one.lines) for one in columns(rows)]
    )
    assert printed(table, 300) == ours


def test_a_terminal_of_80_columns_names_every_group_and_label(plan: Plan, records: dict[str, CellRecord]) -> None:
    """Groups that begin alike were once cut to the same name."""
    for name in ("table2", "table4", "table6", "table8"):
        table = build_table("demo", plan.table(name), records)
        text = re.sub(r"\x1b\[[0-9;]*m", "", printed(table, 80))
        letters = re.sub(r"[^\w+]", "", text)
        for row in table.layout.rows:
            assert re.sub(r"[^\w+]", "", row.group or "") in letters
        assert "\N{HORIZONTAL ELLIPSIS}" not in text
        assert max(map(len, text.splitlines())) <= 80


def test_a_terminal_of_80_columns_breaks_no_number_and_no_label() -> None:
    layout = load_plan(REPOSITORY / "params", "study").table("table7")
    table = build_table("study", layout, {cell.id: record(cell, 10.0 + cell.seed) for cell in layout.cells})
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed(table, 80))
    assert "Half-channel" in text
    for entry in table.entries:
        assert "\N{PLUS-MINUS SIGN}" in entry.values[0].ours_text
        assert entry.values[0].ours_text in text
        assert f"({entry.values[0].paper_text})" in text


def test_curves_keep_every_point_inside_the_chart_and_in_order() -> None:
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
    drawn = training_charts(read_history(text))
    assert [one.title.split()[0] for one in drawn] == [
        "Losses",
        "l1",
        "Learning",
        "Share",
    ]
    assert training_charts({}) == []
    assert training_charts(read_history("step,epoch,lr\n")) == []


def test_long_labels_give_short_file_names_that_differ() -> None:
    names = {file_name("x" * 500), file_name("x" * 499 + "y"), file_name("short label")}
    assert len(names) == 3
    assert max(map(len, names)) == 80
    assert "short-label" in names
