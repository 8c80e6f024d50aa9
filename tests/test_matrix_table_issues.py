"""A table that cannot be filled, or whose places have no names of their own, is refused before anything is trained."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cenbench.errors import UserError
from cenbench.matrix.expand import expand
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.preset import load_preset
from cenbench.matrix.table import load_table

PARAMS = Path(__file__).parents[1] / "params"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


def edit(params: Path, name: str, old: str, new: str) -> int:
    """Replace the first `old` in a table's file and return the line it begins in."""
    text = (params / f"{name}.yaml").read_text()
    assert old in text
    (params / f"{name}.yaml").write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def table(params: Path, name: str, preset: str = "demo", **changes: object) -> TableLayout:
    chosen = load_preset(params, preset).model_copy(update=changes)
    return expand(load_table(params, name), chosen, (), params / f"{name}.yaml")


def error_of(params: Path, name: str) -> UserError:
    with pytest.raises(UserError) as caught:
        table(params, name)
    assert caught.value.where == params / f"{name}.yaml"
    return caught.value


# Metrics


@pytest.mark.parametrize(
    ("name", "old", "new", "key", "problem"),
    [
        ("table7", "[miou_pct]", "[miou_pct, fid]", "metrics", "segmentation cells do not have this metric"),
        ("table8", "[fid, kid_x100]", "[fid, miou_pct]", "metrics", "translation cells do not have this metric"),
        ("table7", "[miou_pct]", "[recovered_pct]", "metrics", "only a claim can use a metric of the recorded scaling"),
        ("table7", "[miou_pct]", "[miou_pct, miou_pct]", "metrics", "metric miou_pct is named twice"),
        ("table7", "stream: rgb}", "stream: rgb, metrics: [psnr_db]}", "columns[0].metrics", "segmentation cells do"),
        (
            "table8",
            "short: U/U",
            "short: U/U, metrics: [exchanged_pct]",
            "columns[0].metrics",
            "none of these networks",
        ),
        ("table-boundaries", "[mae_x10,", "[mae_x10, mae_x10,", "columns[1].metrics", "metric mae_x10 is named twice"),
    ],
)
def test_metrics_that_no_cell_can_have_are_refused(
    params: Path, name: str, old: str, new: str, key: str, problem: str
) -> None:
    line = edit(params, name, old, new)
    error = error_of(params, name)
    assert str(error.key) == f"{key} (line {line})"
    assert error.problem.startswith(problem)


def test_a_mistaken_metric_is_named_with_those_that_the_cells_have(params: Path) -> None:
    edit(params, "table7", "[miou_pct]", "[miou_pct, mae_x10]")
    error = error_of(params, "table7")
    assert error.found == "'mae_x10'"
    assert re.search(r"\bmiou_pct\b.*\bgflops\b.*\bexchanged_pct\b", str(error.expected))
    assert "fid" not in str(error.expected)


def test_one_network_that_exchanges_is_enough_for_a_column_of_its_share(params: Path) -> None:
    edit(params, "table7", "[miou_pct]", "[miou_pct, exchanged_pct, params_m]")
    assert table(params, "table7").metrics == ("miou_pct", "exchanged_pct", "params_m")
    edit(params, "table2", "metrics: [params_m,", "metrics: [exchanged_pct, params_m,")
    table(params, "table2")
    table(params, "table2", groups={"table2": ("One modality",)})
