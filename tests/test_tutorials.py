"""Every tutorial works as written: its files are put in place and its commands run, in order, in a finished checkout.

A block's title decides: a path is the file to write; `PATH, below LINE` inserts the block there; `fails` marks commands
that must be refused; `output` is text that the last commands must have printed, line by line. Commands whose title is
in ELSEWHERE are not run here.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from checkout import REPOSITORY, Checkout
from fenced import MISTAKE, Block, fenced_blocks

TUTORIALS = sorted((REPOSITORY / "docs" / "tutorials").glob("*.md"))
ELSEWHERE = ("in the repository", "on the cluster", "once")
"""Commands that need the tests, a Slurm (`tests/cluster/test_cluster_tutorial.py`), or the network."""


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_works_as_written(page: Path, finished: Checkout) -> None:
    (finished.root / "slurm").symlink_to("profiles/slurm")  # as in the repository
    printed, commands = "", 0
    for block in fenced_blocks(page.read_text()):
        if block.language == "sh" and block.title not in ELSEWHERE:
            printed = run(finished, block)
            commands += 1
        elif block.title == "output":
            assert [line for line in block.body.splitlines() if " ".join(line.split()) not in printed] == []
        elif block.title and block.language != "sh":
            put_in_place(finished, block)
    assert commands >= 2


def test_a_new_method_is_compared_with_the_row_of_the_papers_method() -> None:
    """A small checkout lacks this row. Rows are counted from 1, and the new one is put above all others."""
    rows = yaml.safe_load((REPOSITORY / "params" / "table7.yaml").read_text())["rows"]
    papers = {"convs": "shared", "norms": "unshared", "l1": "half", "exchange": True}
    page = (REPOSITORY / "docs" / "tutorials" / "add-a-fusion-method.md").read_text()
    assert f"cenbench compare table7:{rows.index(papers) + 2} table7:1\n" in page


def run(checkout: Checkout, block: Block) -> str:
    """What the block's commands print, with every run of white space as one space."""
    script = f"set -euo pipefail\nexport PYTHONPATH={shlex.quote(str(checkout.root))}\n{block.body}"
    output = checkout.run("bash", "-c", script, status=None if block.title == "fails" else 0)
    assert block.title in ("", "fails"), f"unknown title of commands: {block.title}"
    assert block.title != "fails" or "fix:" in output or "expected:" in output
    return " ".join(output.split())


def put_in_place(checkout: Checkout, block: Block) -> None:
    name, _, line = block.title.removeprefix(MISTAKE).partition(", below ")
    if not line:
        checkout.write(name, block.body)
        return
    before, found, after = (checkout.root / name).read_text().partition(f"{line}\n")
    assert found, f"{name} has no line {line!r}"
    checkout.write(name, before + found + block.body + after)
