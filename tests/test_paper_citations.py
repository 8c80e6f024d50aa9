"""Every citation of docs/paper.md resolves, and its tables hold the numbers of the reference file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import REPOSITORY

PAPER = REPOSITORY / "docs" / "paper.md"
CITING = (
    *("cenbench/**/*", "tests/**/*.py", "benchmarks/**/*.py", "params/**/*", "docs/*.md", "workflow/**/*"),
    *("profiles/**/*", "containers/*", "data/*.md", "weights/*.md", "benchmarks/*.md", "reports/**/README.md"),
    *("*.md", "Snakefile", "Makefile", "dvc.yaml"),
)
TEXT = {"", ".css", ".html", ".js", ".json", ".md", ".py", ".smk", ".yaml"}
CITATION = re.compile(r"\bpaper\.md(?:#([\w-]*))?")
LINK_WITHIN = re.compile(r"\]\(#([^)]*)\)")
# Citations of the notes this page was made from, of the supplement by section, and of equations without a link.
UNRESOLVABLE = re.compile(
    r"\bfacts(?:\.md|,? (?:section )?\d)|\bsupplement,? \(?section|(?<!\[)\bequation \d", re.IGNORECASE
)


def anchors(markdown: str) -> list[str]:
    """Anchors of the headings as on GitHub: lower case, spaces to hyphens, other punctuation dropped."""
    headings = re.findall(r"^#+ (.+)$", markdown, flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of every file that may cite the paper: all but the page and this test."""
    for path in sorted({path for pattern in CITING for path in REPOSITORY.glob(pattern)}):
        if path.suffix in TEXT and path not in (PAPER, Path(__file__)) and path.is_file():
            yield str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")


def unknown_anchors(text: str, known: set[str]) -> list[str]:
    return [match[1] for match in CITATION.finditer(text) if match[1] is not None and match[1] not in known]


def test_every_citation_of_the_paper_resolves() -> None:
    known = set(anchors(PAPER.read_text(encoding="utf-8")))
    cited = {name: unknown_anchors(text, known) for name, text in texts()}
    assert {name: unknown for name, unknown in cited.items() if unknown} == {}


def test_code_tests_parameters_and_docs_cite_it() -> None:
    citing = {name.split("/")[0] for name, text in texts() if "paper.md#" in text}
    assert citing >= {"cenbench", "tests", "params", "docs"}


def test_the_pages_own_links_resolve_and_its_anchors_are_unique() -> None:
    text = PAPER.read_text(encoding="utf-8")
    found = anchors(text)
    assert sorted(set(found)) == sorted(found)
    assert set(LINK_WITHIN.findall(text)) <= set(found)


def test_no_citation_is_unresolvable() -> None:
    found = {name: [match[0] for match in UNRESOLVABLE.finditer(text)] for name, text in texts()}
    assert {name: citations for name, citations in found.items() if citations} == {}


@pytest.mark.parametrize(
    "text",
    [
        "(facts 2a)",
        "facts.md, section 1",
        "(facts 2c, item 1)",
        "Facts section 3",
        "(equation 6)",
        "supplement, section 2",
    ],
)
def test_unresolvable_citations_are_found(text: str) -> None:
    assert UNRESOLVABLE.search(text)


@pytest.mark.parametrize(
    "text", ["[equation 6](paper.md#equation-6)", "paper.md#equation-6", "table 7 of the supplement"]
)
def test_resolvable_citations_are_accepted(text: str) -> None:
    assert not UNRESOLVABLE.search(text)


def test_an_unknown_anchor_is_reported() -> None:
    assert unknown_anchors("see docs/paper.md#equation-7 and paper.md#equation-6", {"equation-6"}) == ["equation-7"]


def test_headings_become_anchors_as_on_github() -> None:
    assert anchors("# SUN RGB-D\n\ntext # no\n### Equation 6: l1, (mean)") == ["sun-rgb-d", "equation-6-l1-mean"]


def printed_in_section(heading: str) -> list[float]:
    """The numbers in the Markdown table of one section, sorted; text in its cells is ignored."""
    section = PAPER.read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n### ")[0]
    cells = [cell.strip() for line in section.splitlines() if line.startswith("| ") for cell in line.split("|")]
    numbers = [part for cell in cells if re.fullmatch(r"[\d.]+( / [\d.]+)*", cell) for part in cell.split(" / ")]
    return sorted(map(float, numbers))


@pytest.mark.parametrize(("table", "count"), [("3", 12), ("4", 16), ("5", 14), ("7", 33)])
def test_the_pages_tables_hold_the_numbers_of_the_reference_file(table: str, count: int) -> None:
    with (REPOSITORY / "params" / "paper" / "tables_reference.csv").open(encoding="utf-8") as file:
        expected = sorted(float(row["value"]) for row in csv.DictReader(file) if row["table"] == table)
    assert printed_in_section(f"Table {table}") == expected
    assert len(expected) == count
