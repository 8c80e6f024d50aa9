"""Names may be abbreviated where they stay unique, and a command outside a checkout reports that and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkout import REPOSITORY
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.cli.options import checkout, figure_name, find_cell, table_name
from cenbench.errors import UserError
from cenbench.matrix.plan import Plan, load_plan
from cenbench.paths import Paths
from cenbench.run.export import export_cell


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(REPOSITORY / "params", "demo")


def hash_of(cell_id: str) -> str:
    return cell_id.rpartition(".")[2]


def test_a_cell_is_found_by_its_id_and_by_any_unique_abbreviation(plan: Plan) -> None:
    for cell_id, cell in plan.cells.items():
        assert find_cell(plan, cell_id) is cell
        assert find_cell(plan, hash_of(cell_id)) is cell
        assert find_cell(plan, hash_of(cell_id)[-8:]) is cell
        assert find_cell(plan, hash_of(cell_id)[:8]) is cell
        assert find_cell(plan, cell_id[:-1]) is cell


def test_an_ambiguous_abbreviation_lists_the_ids_it_could_mean(plan: Plan) -> None:
    with pytest.raises(UserError) as caught:
        find_cell(plan, "rgb+depth-to-semantic.")
    matching = [cell_id for cell_id in plan.cells if cell_id.startswith("rgb+depth-to-semantic.")]
    assert f"{len(matching)} cells of preset 'demo' match" in str(caught.value)
    assert matching[0] in str(caught.value)
    assert "cenbench plan --preset demo" in str(caught.value), "not all of them are listed"


@pytest.mark.parametrize("text", ["", "rgb", "294", "no-such-cell", "-to-semantic"])
def test_too_short_or_unknown_abbreviations_are_refused(plan: Plan, text: str) -> None:
    with pytest.raises(UserError, match="has no cell"):
        find_cell(plan, text)


@pytest.mark.parametrize(("given", "name"), [("7", "table7"), ("table7", "table7"), ("07", "table07"), ("x7", "x7"),
                                           ("table 7", "table7"), ("Table7", "table7"), (" table-7 ", "table7"),
                                           ("figure 5", "figure5"), ("table-tune",) * 2, ("７",) * 2])  # fmt: skip
def test_a_table_may_be_given_by_its_number(given: str, name: str) -> None:
    assert table_name(given) == name


@pytest.mark.parametrize(("given", "name"), [("5", "figure5"), ("Figure 5", "figure5"), ("figure-exchange",) * 2])
def test_a_figure_may_be_given_by_its_number(given: str, name: str) -> None:
    assert figure_name(given) == name


def test_the_path_of_a_cell_is_as_good_as_its_id(plan: Plan) -> None:
    """As a shell completes it, or as it is copied from a listing or an address."""
    for cell_id, cell in [*plan.cells.items()][:3]:
        for text in (f"{cell_id}/", f"results/cells/{cell_id}", f"/anywhere/results/cells/{cell_id}/metrics.json",
                     f"./results/cells/{cell_id[:-3]}/", f"reports/demo/cells/{cell_id}.html",
                     f"results/logs/{cell_id}.log"):  # fmt: skip
            assert find_cell(plan, text) is cell


def test_commands_accept_a_table_number(plan: Plan) -> None:
    def output(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--root", str(REPOSITORY)], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    numbered, named = (
        output("plan", "--targets", "--table", a, "--table", b) for a, b in (("7", "8"), ("table7", "table8"))
    )
    assert numbered == named
    assert numbered.count("metrics.json") == len(plan.select(tables=["table7", "table8"]).cells)
    assert "Table 7." in output("show", "7")
    assert output("show", "7", "--markdown").startswith("**Table 7.")


COMMANDS = (
    *(["plan"], ["run", "x"], ["status"], ["doctor"], ["show", "7"], ["report"], ["export", "x", "--out", "out"]),
    *(["corollary", "x"], ["suggest-lambda", "x"]),
    *(["import-checkpoint", "f", "x"], ["pipeline", "tables"], ["data", "list"], ["data", "prepare"]),
    *(["data", "verify", "d"], ["data", "stats", "d"], ["data", "show", "d"], ["weights", "list"]),
    *(["weights", "add", "resnet50", "f"], ["results", "export", "f"], ["results", "import", "f"], ["prune"]),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_outside_a_checkout_every_command_reports_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(app, command).exception
    assert isinstance(error, UserError)
    assert error.problem == "not a cenbench checkout"
    assert error.where == tmp_path
    assert list(tmp_path.iterdir()) == [], "nothing is created"


def test_inside_a_folder_of_a_checkout_the_message_names_the_checkout(tmp_path: Path) -> None:
    (tmp_path / "params" / "presets").mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        checkout(tmp_path / "params")
    assert caught.value.fix == f"--root {tmp_path}"
    assert checkout(tmp_path).root == tmp_path


def test_alone_it_says_where_to_start_and_in_a_checkout_lists_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outside = CliRunner().invoke(app, [])
    assert outside.exit_code == 2
    assert f"cd {REPOSITORY}" in outside.output and "make demo" in outside.output
    monkeypatch.chdir(REPOSITORY / "docs")
    inside = CliRunner().invoke(app, [])
    assert inside.exit_code == 2
    assert "doctor" in inside.output and "make demo" not in inside.output


AT_ROOT = ("--root", str(REPOSITORY))


@pytest.mark.parametrize(
    ("arguments", "problem", "fix"),
    [
        (("show", "figure5", "--per-class"), "a figure has no IoU per class", "cenbench show table7 --per-class"),
        (("show", "claims", "--preset", "study"), "claims is not a table", "cenbench claims --preset study"),
        (("show", "robustness"), "robustness is not a table", "cenbench robustness --preset demo"),
        (("plan", "--table", "figure5"), "figure5 is a figure", "--figure figure5"),
        (("plan", "--figure", "table7"), "table7 is a table", "--table table7"),
    ],
)
def test_what_another_command_or_option_shows_is_pointed_to(arguments: tuple[str, ...], problem: str, fix: str) -> None:
    error = CliRunner().invoke(app, [*arguments, *AT_ROOT]).exception
    assert isinstance(error, UserError)
    assert problem in error.problem and error.fix == fix


def test_a_misspelt_output_is_reported_before_anything_is_read(plan: Plan, tmp_path: Path) -> None:
    """Neither the dataset nor the cell is there."""
    cell = next(cell for cell in plan.cells.values() if "depth" in cell.streams)
    with pytest.raises(UserError, match="no such output") as caught:
        export_cell(cell, Paths(tmp_path), tmp_path / "out", "dpth")
    assert caught.value.fix == "did you mean 'depth'?"


CELL = "rgb+depth-to-semantic"


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "{}", "."),
        ("compare", ".", "{}"),
        ("compare", ".", "demo", "--html", "{}"),
        ("plan", "--root", "{}"),
        ("doctor", "--root", "{}"),
        ("log", "{}"),
        ("data", "prepare", "nyudv2", "--raw", "{}"),
        ("data", "show", "synthrooms", "--out", "{}"),
        ("export", CELL, "--out", "{}"),
        ("export-history", CELL, "--to", "tensorboard", "--out", "{}"),
        ("results", "frame", "--out", "{}"),
        ("results", "export", "{}"),
        ("results", "import", "{}"),
        ("weights", "add", "resnet101", "{}"),
        ("import-checkpoint", "{}", CELL),
    ],
)
def test_a_blank_path_is_not_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], blank: str
) -> None:
    monkeypatch.chdir(REPOSITORY)
    error = CliRunner().invoke(app, [one.format(blank) for one in arguments]).exception
    assert isinstance(error, UserError)
    assert error.problem == "an argument or the value of an option is empty"
    assert error.found == repr(blank)


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", ".", "demo", "--html"),
        ("data", "show", "synthrooms", "--out"),
        ("results", "frame", "--out"),
        ("results", "export"),
    ],
)
def test_a_folder_is_not_a_file_to_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    for folder in (str(tmp_path), f"{tmp_path}/new/"):
        error = CliRunner().invoke(app, [*arguments, folder]).exception
        assert isinstance(error, UserError)
        assert error.problem == "this is a folder"
        assert "a file to write" in str(error.expected)


@pytest.mark.parametrize("command", [("export", CELL), ("export-history", CELL, "--to", "tensorboard")])
def test_a_file_is_not_a_folder_to_write_to(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "taken").touch()
    error = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "taken"), *AT_ROOT]).exception
    assert isinstance(error, UserError)
    assert error.problem == "this is a file"
