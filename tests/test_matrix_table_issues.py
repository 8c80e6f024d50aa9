"""A table that cannot be filled, or whose places have no names of their own, is refused before anything is trained."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cenbench.errors import UserError
from cenbench.matrix.expand import expand
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.preset import load_preset, preset_names
from cenbench.matrix.table import load_table
from cenbench.report.sides import table_places

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


# Labels


@pytest.mark.parametrize(
    ("name", "old", "new", "key", "problem"),
    [
        ("table7", "label: Depth, stream", "label: RGB, stream", "columns[1].label", "another column has this label"),
        ("table8", "label: Shade+Texture+Depth to", "label: Shade+Texture to", "groups[1].label", "another group has"),
        (
            "table7",
            "  - {heading: Exchange, short: Exch., shows: exchange}\n",
            "",
            "rows[4]",
            "another row has this label",
        ),
    ],
)
def test_a_label_that_an_earlier_one_has_is_refused(
    params: Path, name: str, old: str, new: str, key: str, problem: str
) -> None:
    edit(params, name, old, new)
    error = error_of(params, name)
    assert re.search(rf"{re.escape(key)} \(line \d+\)", str(error))
    assert problem in str(error)


def test_rows_with_labels_of_their_own_need_different_ones(params: Path) -> None:
    rows = "".join(
        f"  - {{labels: [a, b, c, {label}], convs: shared, norms: unshared, l1: none, exchange: true, in_paper: false, "
        f"override: {{protocol: {{theta: {theta}}}}}}}\n"
        for label, theta in (("ours", 0.1), ("ours", 0.2), ("mine", 0.2))
    )
    line = edit(params, "table7", "footers:", f"{rows}footers:")
    error = error_of(params, "table7")
    assert error.key == f"rows[12] (line {line + 1})"
    assert error.problem == "another row has this label: rows[11]"
    assert error.found == "'a / b / c / ours'"


def test_labels_that_read_alike_once_joined_are_one_label(params: Path) -> None:
    """`a / b` and `c` is found under the same name as `a` and `b / c`."""
    edit(params, "table7", "[miou_pct]\n", "[miou_pct]\nwhole: false\n")
    edit(params, "table7", "\n  - {convs: unshared,", '\n  - {labels: [a / b, "c", d, e], convs: unshared,')
    edit(params, "table7", "\n  - {convs: shared,", "\n  - {labels: [a, b, c / d, e], convs: shared,")
    assert "another row has this label: rows[0]" in str(error_of(params, "table7"))


@pytest.mark.parametrize("preset", preset_names(PARAMS))
def test_every_place_of_every_table_has_a_name_of_its_own(preset: str) -> None:
    for name in load_preset(PARAMS, preset).tables:
        layout = table(PARAMS, name, preset)
        assert len(table_places(layout)) == len(layout.slots)
