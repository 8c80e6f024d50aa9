"""The pages in a real browser: sorting, filtering, comparing, the keyboard, three widths, print, and accessibility."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import REPOSITORY
from test_report_figures import finished, history
from test_report_table import cost, record
from tiny_dataset import write_dataset

from cenbench.data.contact_page import contact_page
from cenbench.matrix.claim_pairs import plan_claims
from cenbench.matrix.plan import load_plan
from cenbench.report.claims import build_claims
from cenbench.report.pages import render_claims_page, render_index, render_pages
from cenbench.report.table import Table, build_table

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
"""For containers: run as root, with a small /dev/shm and without a display."""
NAMES = ("table2", "table6", "table7", "table8")
FIGURE = "figure-parameters"
SHEET = "demo/datasets/a-dataset.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Table]]:
    """Rendered pages of the demo preset, and the tables they show; one cell is missing."""
    plan = load_plan(REPOSITORY / "params", "demo")
    records = {
        cell.id: record(cell, 10.0 + place / 7, parameters=cost(place))
        for place, cell in enumerate(plan.cells.values())
    }
    gone = plan.cells_of("table7")[1]
    folder, checkout = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("checkout")
    for place, cell in enumerate(plan.cells_of("table7")):
        curves = history("nll_ensemble", 3.0, 1.0)
        records[cell.id] = finished(cell, checkout, 10.0 + place / 7, files=curves, parameters=cost(place))
    records[gone.id] = record(gone, None, "missing", "not run yet")
    rgb = np.full((4, 8, 8, 3), 90, np.uint8)
    rgb[:, :4] = 200
    contact_page(write_dataset(checkout, {"rgb": rgb, "semantic": rgb[..., 0] // 50}, 3), [3], folder / SHEET)
    render_pages(plan, records, folder, tables=NAMES, figures=[FIGURE])
    claims = plan_claims(REPOSITORY / "params", plan)
    declared = {claim.spec.name: "before the run" for claim in claims}
    render_claims_page(plan, build_claims("demo", claims, records, declared), folder)
    render_index(plan, NAMES, folder)
    return folder, {name: build_table("demo", plan.table(name), records) for name in NAMES}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        try:
            opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        except playwright.Error as error:  # for example: a container without the system calls it needs
            pytest.skip(f"Chromium does not start here: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which an error of the script, or one that the security policy reports, fails the test."""
    opened = browser.new_page(viewport={"width": 1400, "height": 900})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield opened
    opened.close()
    assert not problems


def pages(folder: Path) -> list[Path]:
    named = (folder / "demo" / f"{name}.html" for name in (*NAMES, FIGURE, "claims"))
    return [folder / "index.html", *named, some_cell(folder), folder / SHEET]


def some_cell(folder: Path) -> Path:
    """The page of the paper's method in table 7, which table 2 shows too."""
    [found] = (folder / "demo" / "cells").glob("rgb+depth*.exchange.shared-convs.unshared-norms.l1-half.*")
    return found


def column(page: Any, label: str) -> list[float]:
    """The numbers of a column from top to bottom, as sorting reads them; empty slots are left out."""
    place = page.locator(f'th[data-label="{label}"][data-place]').get_attribute("data-place")
    found = page.eval_on_selector_all(
        "#numbers tbody tr:not(.group):not([hidden])", f"rows => rows.map(row => row.cells[{place}].dataset.v ?? '')"
    )
    return [float(text) for text in found if text]


def test_a_head_sorts_down_then_up_then_as_declared(site: tuple[Path, dict[str, Table]], page: Any) -> None:
    page.goto((site[0] / "demo" / "table7.html").as_uri())
    label = "Ensemble, Mean IoU"
    declared = column(page, label)
    head = page.locator(f'th[data-label="{label}"] button')
    head.click()
    assert column(page, label) == sorted(declared, reverse=True)
    head.click()
    assert column(page, label) == sorted(declared)
    assert page.locator(f'th[data-label="{label}"]').get_attribute("aria-sort") == "ascending"
    head.click()
    assert column(page, label) == declared


def test_rows_are_filtered_by_text_and_by_term(site: tuple[Path, dict[str, Table]], page: Any) -> None:
    page.goto((site[0] / "demo" / "table7.html").as_uri())
    shown = page.locator("#numbers tbody tr:not(.group):visible")
    page.get_by_label("Rows by Exchange").select_option("yes")
    assert shown.count() == 4
    page.get_by_label("Filter rows by text").fill("half")
    assert shown.count() == 2
    assert page.locator("#status").inner_text() == "2 of 11 rows"


def test_columns_and_the_papers_numbers_are_hidden(site: tuple[Path, dict[str, Table]], page: Any) -> None:
    page.goto((site[0] / "demo" / "table7.html").as_uri())
    page.get_by_role("button", name="Paper's numbers").click()
    assert page.locator("#numbers .paper:visible").count() == 0
    page.get_by_role("button", name="Paper's numbers").click()
    assert page.locator("#numbers td.paper:visible").count() == 3 * 11
    page.locator("#tools summary").click()
    page.get_by_label("Depth", exact=True).uncheck()
    assert page.locator('#numbers [data-column="1"]:visible').count() == 0


def test_two_rows_are_compared_with_the_keyboard_alone(site: tuple[Path, dict[str, Table]], page: Any) -> None:
    folder, tables = site
    page.goto((folder / "demo" / "table7.html").as_uri())
    boxes = page.locator("#numbers tbody input")
    for row in (2, 6):
        boxes.nth(row).focus()
        page.keyboard.press("Space")
    text = page.locator("#compared").inner_text()
    first, second = (tables["table7"].entry(row, 2) for row in (2, 6))
    assert first is not None
    assert second is not None
    a, b = first.values[0].ours or 0.0, second.values[0].ours or 0.0
    assert f"{b - a:.1f}".replace("-", "\N{MINUS SIGN}") in text
    assert "cenbench compare table7:3 table7:7" in text


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_no_page_scrolls_sideways(site: tuple[Path, dict[str, Table]], page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in pages(site[0]):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext: apt-get install poppler-utils")
@pytest.mark.parametrize("name", NAMES)
def test_a_printed_table_has_every_number(
    site: tuple[Path, dict[str, Table]], page: Any, tmp_path: Path, name: str
) -> None:
    folder, tables = site
    page.goto((folder / "demo" / f"{name}.html").as_uri())
    page.pdf(path=str(tmp_path / "page.pdf"), prefer_css_page_size=True)
    command = ["pdftotext", "-layout", str(tmp_path / "page.pdf"), "-"]
    printed = set(re.findall(r"[\d.]+", subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    values = [value for entry in tables[name].entries for value in entry.values]
    expected = {text for value in values for text in (value.ours_text, value.paper_text) if text}
    assert expected <= printed


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext: apt-get install poppler-utils")
def test_a_printed_cell_has_its_siblings_numbers(
    site: tuple[Path, dict[str, Table]], page: Any, tmp_path: Path
) -> None:
    folder, tables = site
    page.goto(some_cell(folder).as_uri())
    page.pdf(path=str(tmp_path / "page.pdf"), prefer_css_page_size=True)
    command = ["pdftotext", "-layout", str(tmp_path / "page.pdf"), "-"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    column = [tables["table7"].entry(row, 2) for row in range(11)]
    expected = {entry.values[0].ours_text for entry in column if entry is not None}
    assert {text for text in expected if text} <= set(re.findall(r"[\d.]+", printed))


def test_a_drawing_keeps_its_letters_readable_on_a_phone(site: tuple[Path, dict[str, Table]], page: Any) -> None:
    """It scrolls in its own frame: scaled to 390 px, its letters were 5 px high."""
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto((site[0] / "demo" / f"{FIGURE}.html").as_uri())
    heights = page.eval_on_selector_all(
        ".drawing svg text", "texts => texts.map(text => text.getBoundingClientRect().height)"
    )
    assert heights
    assert min(heights) >= 8


def test_a_phone_tells_rows_apart_by_one_column(site: tuple[Path, dict[str, Table]], page: Any) -> None:
    """Of four columns of labels only the first stood still while the numbers moved, and it has two different words."""
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto((site[0] / "demo" / "table7.html").as_uri())
    names = page.eval_on_selector_all(
        "#numbers tbody th", "heads => heads.map(head => getComputedStyle(head, '::after').content)"
    )
    assert len(set(names)) == len(names) == 11
    assert '"S/U \N{MIDDLE DOT} half \N{MIDDLE DOT} exchange"' in names
    assert page.locator("#numbers td.stub:visible").count() == 0
    page.get_by_label("Rows by Exchange").select_option("yes")
    assert page.locator("#numbers tbody tr:visible").count() == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(site: tuple[Path, dict[str, Table]], browser: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    named = (site[0] / "demo" / f"{name}.html" for name in ("table7", FIGURE, "claims"))
    for path in (site[0] / "index.html", *named, some_cell(site[0]), site[0] / SHEET):
        context = browser.new_context(color_scheme=scheme, bypass_csp=True)
        tab = context.new_page()
        tab.goto(path.as_uri())
        found = axe.Axe().run(tab).response["violations"]
        assert not [(one["id"], one["nodes"][0]["html"][:200]) for one in found], path.name
        context.close()


def test_every_page_can_be_read_without_its_script(site: tuple[Path, dict[str, Table]], browser: Any) -> None:
    folder, tables = site
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "demo" / "table7.html").as_uri())
    assert not tab.locator("#tools").is_visible()
    for entry in tables["table7"].entries:
        if entry.values[0].ours_text:
            assert tab.get_by_role("link", name=entry.values[0].ours_text, exact=True).first.is_visible()
    context.close()


def test_a_page_of_a_table_is_below_one_megabyte(site: tuple[Path, dict[str, Table]]) -> None:
    for path in pages(site[0]):
        assert path.stat().st_size < 1_000_000, path.name
