"""A mistake in claims.yaml or robustness.yaml is refused before any job, since claims are registered before the first
number; commands that only look at what is there still work.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.cli.pipeline import read_asked
from cenbench.errors import UserError
from cenbench.matrix.claim_pairs import plan_claims
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.records.registration import declared, register
from cenbench.schedule.dag import Dag

REPOSITORY = Path(__file__).parents[1]
TYPOS = {
    "a claim's metric": ("claims.yaml", "metric: miou_pct", "metric: miou"),
    "a claim's method": ("claims.yaml", "fusion: exchange", "fusion: exchnage"),
    "robustness": ("robustness.yaml", "presets:", "prestes:"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "params", tmp_path / "params")
    return tmp_path


def edit(root: Path, file: str, old: str, new: str) -> None:
    """Replace the first `old`, which must be there."""
    path = root / "params" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("typo", TYPOS)
def test_a_mistake_is_refused_before_any_job(root: Path, typo: str) -> None:
    """Whatever is asked of Snakemake and DVC: they read the graph first."""
    file, *words = TYPOS[typo]
    edit(root, file, *words)
    for read in (lambda: Dag.from_config({}, root), lambda: read_asked(root)):
        with pytest.raises(UserError) as caught:
            read()
        assert caught.value.where == root / "params" / file
        assert "(line " in str(caught.value)


def test_claims_with_a_mistake_stop_the_first_cell_and_not_their_registration(root: Path) -> None:
    """A cell that is started by itself, as `cenbench run` does it: corrected, every claim is registered in time."""
    file, *words = TYPOS["a claim's metric"]
    edit(root, file, *words)
    paths, plan = Paths(root), load_plan(root / "params", "demo")
    with pytest.raises(UserError, match="metric"):
        register(paths, plan)
    edit(root, file, *reversed(words))
    register(paths, plan)
    planned = plan_claims(paths.params, plan)
    assert set(declared(paths, plan, planned).values()) == {"before the run"}


def test_what_is_there_can_be_looked_at_with_one_warning(root: Path) -> None:
    edit(root, *TYPOS["a claim's metric"])
    at_root = ("--root", str(root))
    report = CliRunner().invoke(app, ["report", "--table", "table7", *at_root])
    assert report.exit_code == 0 and (root / "reports" / "demo" / "table7.html").is_file()
    assert report.stderr.count("without claims") == report.stderr.count("claims.yaml") == 1
    assert "(line " in report.stderr
    for command in (("show", "table7"), ("status", "--table", "table7"), ("open", "table7")):
        assert CliRunner().invoke(app, [*command, *at_root]).exit_code == 0
