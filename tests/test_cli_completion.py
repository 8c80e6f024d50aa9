"""What the shell is offered while a command line is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkout import REPOSITORY
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.matrix.plan import load_plan

ROOT = f"--root {REPOSITORY}"


def offered(line: str) -> list[str]:
    """Completions of the last word of the line, as bash asks for them."""
    words = line.split(" ")
    asked = {"_CENBENCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = CliRunner().invoke(app, env=asked, prog_name="cenbench")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output.split()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("cenbench pip", {"pipeline"}),
        (f"cenbench plan {ROOT} --preset paper-s", {"paper-sunrgbd"}),
        (
            f"cenbench plan {ROOT} --table table-",
            {"table-boundaries", "table-causes", "table-controls", "table-starts", "table-tune"},
        ),
        (f"cenbench plan {ROOT} --figure figure1", {"figure10", "figure11", "figure12", "figure13"}),
        (f"cenbench show {ROOT} table9", {"table9"}),
        (f"cenbench show {ROOT} figure9", {"figure9"}),
    ],
)
def test_names_are_completed(line: str, names: set[str]) -> None:
    assert set(offered(line)) == names


def test_a_cell_of_the_named_preset_is_completed() -> None:
    study = load_plan(REPOSITORY / "params", "study").cells
    start = "shade+texture-to-rgb.exchange.shared-convs.unshared-norms.l1-half.64px.s5"
    assert set(offered(f"cenbench run {ROOT} --preset study {start}")) == {
        cell for cell in study if cell.startswith(start)
    }


@pytest.mark.parametrize("word", ["run x", "plan --preset x", "plan --table x", "show x"])
def test_outside_a_checkout_nothing_is_offered(tmp_path: Path, word: str) -> None:
    command, _, rest = word.partition(" ")
    assert offered(f"cenbench {command} --root {tmp_path} {rest}") == []
