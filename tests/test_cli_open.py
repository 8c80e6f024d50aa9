"""`cenbench open` prints the path of a page, or the command that writes it."""

from __future__ import annotations

import shlex
import shutil
import webbrowser
from pathlib import Path

import pytest
from published import make_root, publish
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Paths]:
    plan, paths = make_root(tmp_path_factory.mktemp("open") / "root", tiny=True)
    (paths.root / "params" / "claims.yaml").write_text("{}\n")
    for cell in plan.cells.values():
        publish(paths, cell)
    return plan, paths


def error_of(*arguments: str) -> UserError:
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, UserError)
    return error


def test_an_absent_page_is_reported_with_the_command_that_writes_it(root: tuple[Plan, Paths]) -> None:
    """The command is run, and the page is there."""
    plan, paths = root
    at_root = ("--root", str(paths.root))
    for page in ("table8", plan.cells_of("table8")[0].id[-8:], "index"):
        error = error_of("open", page, *at_root)
        assert CliRunner().invoke(app, [*shlex.split(str(error.fix))[1:], *at_root]).exit_code == 0
        found = CliRunner().invoke(app, ["open", page, *at_root])
        path = Path(found.output.strip())
        assert (found.exit_code, path) == (0, error.where)
        assert path.is_absolute() and path.is_file()
        shutil.rmtree(paths.reports)


@pytest.mark.parametrize(
    ("page", "command"),
    [("claims", "cenbench claims --preset demo --write"), ("robustness", "snakemake robustness --config preset=demo")],
)
def test_the_other_pages_name_their_commands(root: tuple[Plan, Paths], page: str, command: str) -> None:
    error = error_of("open", page, "--root", str(root[1].root))
    assert (error.fix, Path(str(error.where)).name) == (command, f"{page}.html")


def test_a_table_may_be_given_by_number_and_a_cell_by_its_hash(root: tuple[Plan, Paths]) -> None:
    plan, paths = root
    cell_id = plan.cells_of("table7")[0].id
    assert str(error_of("open", "8", "--root", str(paths.root)).where).endswith("demo/table8.html")
    assert str(error_of("open", cell_id[-8:], "--root", str(paths.root)).where).endswith(f"{cell_id}.html")


@pytest.mark.parametrize(
    ("page", "problem", "fix"),
    [
        ("tabel7", "has no page 'tabel7'", "did you mean 'table7'?"),
        ("clams", "has no page 'clams'", "did you mean 'claims'?"),
        ("figure99", "has no page 'figure99'", None),
        ("nothing-like-it", "has no cell 'nothing-like-it'", "list the ids: cenbench plan --preset demo"),
    ],
)
def test_an_unknown_page_is_refused(root: tuple[Plan, Paths], page: str, problem: str, fix: str | None) -> None:
    error = error_of("open", page, "--root", str(root[1].root))
    assert problem in error.problem
    assert error.fix == fix


def test_browser_opens_the_page(root: tuple[Plan, Paths], monkeypatch: pytest.MonkeyPatch) -> None:
    page = root[1].reports / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("")
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: opened.append(uri) is None)
    arguments = ["open", "--browser", "--root", str(root[1].root)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert opened == [page.as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda uri: False)
    assert "no browser" in error_of(*arguments).problem
