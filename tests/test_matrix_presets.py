"""A preset can be made as documented; whatever a preset names wrongly is reported in its own file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.cli.pipeline import read_asked, read_published
from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan

PARAMS = Path(__file__).parents[1] / "params"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


def edit(path: Path, old: str, new: str) -> int:
    """Replace the first `old` and return the line that it is in."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize("original", ["demo", "study", "paper"])
def test_a_copied_preset_works_as_documented(params: Path, original: str) -> None:
    """The steps of docs/params.md. A copy has the cells of its original, those of figure 13 included."""
    mine = Path(shutil.copy(params / "presets" / f"{original}.yaml", params / "presets" / "mine.yaml"))
    edit(mine, f"\nname: {original}\n", "\nname: mine\n")
    planned = CliRunner().invoke(app, ["plan", "--preset", "mine", "--root", str(params.parent)])
    assert planned.exit_code == 0, planned.exception
    plan = load_plan(params, "mine")
    assert "figure13" in plan.names
    assert list(plan.cells) == list(load_plan(params, original).cells)


def test_a_preset_measures_the_grid_that_it_names(params: Path) -> None:
    edit(params / "figure13.yaml", "\n  study:\n", "\n  wide:\n")
    edit(params / "presets" / "study.yaml", "\ngrid: study", "\ngrid: wide")
    assert len(load_plan(params, "study").figure("figure13").series) == 5
    line = edit(params / "presets" / "study.yaml", "\ngrid: wide", "\ngrid: another") + 1
    with pytest.raises(UserError, match=r"figure13\.yaml has no such grid") as caught:
        load_plan(params, "study")
    assert caught.value.where == params / "presets" / "study.yaml"
    assert (caught.value.key, caught.value.found) == (f"grid (line {line})", "another")
    assert caught.value.expected == "demo, wide, paper"
    edit(params / "presets" / "study.yaml", "\ngrid: another", "\ngrid: wild")
    with pytest.raises(UserError, match="no preset measures this grid") as caught:
        load_plan(params, "study")
    assert (caught.value.found, caught.value.fix) == ("wide", "did you mean 'wild'?")


def test_a_grid_may_be_named_like_a_preset_that_has_none(params: Path) -> None:
    quick = Path(shutil.copy(params / "presets" / "study.yaml", params / "presets" / "quick.yaml"))
    edit(quick, "\nname: study\n", "\nname: quick\n")
    edit(params / "figure13.yaml", "\n  study:\n", "\n  quick-wide:\n")
    for path in (quick, params / "presets" / "study.yaml"):
        edit(path, "\ngrid: study", "\ngrid: quick-wide")
    for preset in ("quick", "demo", "study"):
        assert "figure13" in load_plan(params, preset).names


def test_a_mistake_in_the_papers_preset_is_reported_whatever_is_planned(params: Path) -> None:
    """Without it no number has a verdict; only where the file is absent is that so on purpose."""
    path = params / "presets" / "paper-official.yaml"
    line = edit(path, "theta:", "thetaa:")
    with pytest.raises(UserError) as caught:
        load_plan(params, "demo")
    assert caught.value.where == path and f"thetaa (line {line})" in str(caught.value)
    path.unlink()
    assert not any(slot.reference for table in load_plan(params, "demo").tables for slot in table.slots)


MISTAKES = {
    "table": ("presets/demo.yaml", "[table2, table4,", "[table2, table44,", "tables[1]", "did you mean 'table4'?"),
    "figure": ("presets/demo.yaml", "figure4, figure5,", "figure4, figure55,", "figures[1]", "did you mean 'figure5'?"),
    "group": ("presets/demo.yaml", "\nseeds:", "\ngroups: {table4: [Texture]}\nseeds:", "groups.table4[0]", None),
    "no groups": ("presets/demo.yaml", "\nseeds:", "\ngroups: {table7: [Texture]}\nseeds:", "groups.table7[0]", None),
    "table of a figure": ("figure-parameters.yaml", "[table2]", "[table22]", "tables[0]", "did you mean 'table2'?"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_name_is_reported_where_it_is_written(params: Path, mistake: str) -> None:
    file, old, new, key, hint = MISTAKES[mistake]
    edit(params / file, old, new)
    with pytest.raises(UserError) as caught:
        load_plan(params, "demo")
    error = caught.value
    assert error.where == params / file and str(error.key).startswith(f"{key} (line ")
    assert error.expected != ""
    assert hint is None or error.fix == hint


def test_every_mistake_in_pipeline_yaml_is_reported_at_once_with_its_line(params: Path) -> None:
    line = edit(params / "pipeline.yaml", "\npreset:", "\nprest:") + 1
    edit(params / "pipeline.yaml", "figures: [figure4,", "figures: [true,")
    with pytest.raises(UserError) as caught:
        read_asked(params.parent)
    for words in (f"prest (line {line}): unknown key", "did you mean 'preset'?", "missing key", "figures[0] (line "):
        assert words in str(caught.value)


def test_every_page_that_the_preset_lacks_is_reported_with_a_suggestion(params: Path) -> None:
    edit(params / "pipeline.yaml", "pages: [table7, table8,", "pages: [tabel7, 8,")
    edit(params / "pipeline.yaml", "figure-learning", "figure-leaning")
    with pytest.raises(UserError) as caught:
        read_published(params.parent, read_asked(params.parent))
    for words in ("pages[0] (line ", "did you mean 'table7'?", "figures[2] (line ", "did you mean 'figure-learning'?"):
        assert words in str(caught.value)
    assert "pages[1]" not in str(caught.value)
