"""Every citation of docs/paper.md leads somewhere, and nothing cites notes that are not in the repository."""

from __future__ import annotations

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
    """Headings as GitHub makes anchors of them: lower case, spaces to hyphens, other punctuation dropped."""
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


def test_the_pages_own_links_resolve_and_no_anchor_is_there_twice() -> None:
    text = PAPER.read_text(encoding="utf-8")
    found = anchors(text)
    assert sorted(set(found)) == sorted(found)
    assert set(LINK_WITHIN.findall(text)) <= set(found)


def test_nothing_cites_what_cannot_be_looked_up() -> None:
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
def test_citations_that_cannot_be_looked_up_are_found(text: str) -> None:
    assert UNRESOLVABLE.search(text)


@pytest.mark.parametrize(
    "text", ["[equation 6](paper.md#equation-6)", "paper.md#equation-6", "table 7 of the supplement"]
)
def test_citations_that_can_be_looked_up_are_accepted(text: str) -> None:
    assert not UNRESOLVABLE.search(text)


def test_an_unknown_anchor_is_found() -> None:
    assert unknown_anchors("see docs/paper.md#equation-7 and paper.md#equation-6", {"equation-6"}) == ["equation-7"]


def test_headings_become_anchors_as_on_github() -> None:
    assert anchors("# SUN RGB-D\n\ntext # no\n### Equation 6: l1, (mean)") == ["sun-rgb-d", "equation-6-l1-mean"]
