"""IoU per class: means over complete seeds, on the page, in JSON and in the terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from checkout import REPOSITORY
from rich.console import Console
from test_report_table import record, seeds
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan
from cenbench.report.render_html import render_html
from cenbench.report.render_json import render_json
from cenbench.report.table import Table, build_table
from cenbench.report.terminal_per_class import render_per_class

PARAMS = REPOSITORY / "params"


@pytest.fixture(scope="module")
def table() -> Table:
    """Table 7 with two seeds; the first row lacks one of them."""
    layout = seeds(load_plan(PARAMS, "demo").table("table7"), 1, 2)
    first = layout.slots[0].cells[1].id
    records = {}
    for cell in layout.cells:
        classes = {"wall": 50.0 + cell.seed, "lamp": None if cell.seed == 1 else 7.25, "void": None}
        document = {"per_class_iou_pct": dict.fromkeys(cell.streams, classes)}
        found = replace(record(cell, 40.0), document=document)
        records[cell.id] = record(cell, None, "missing", "not run yet") if cell.id == first else found
    return build_table("demo", layout, records)


def test_means_over_the_seeds_that_have_the_class_of_complete_rows_only(table: Table) -> None:
    assert len(table.per_class) == 10 * 3
    for row in table.per_class:
        assert row.iou_pct == {"wall": 51.5, "lamp": 7.25, "void": None}


def test_the_page_the_json_and_the_terminal_show_them(table: Table) -> None:
    assert "IoU per class" in render_html(table)
    assert "51.5" in render_html(table)
    assert len(render_json(table)["per_class"]) == 30
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(render_per_class(table.per_class))
    assert console.export_text().count("51.5") == 30


def test_the_command_tells_where_there_is_nothing_to_show(tmp_path: Path) -> None:
    (tmp_path / "params").symlink_to(PARAMS)
    found = CliRunner().invoke(app, ["show", "table7", "--per-class", "--root", str(tmp_path)])
    assert isinstance(found.exception, UserError)
    assert "no IoU per class" in str(found.exception)
