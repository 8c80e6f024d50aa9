"""Changing one row's parameter, in its `override`, changes the ids of its cells and of no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from messages import key_of

from cenbench.errors import UserError
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import RENDERED, TranslationEvaluation

PARAMS = Path(__file__).parents[1] / "params"
ROW = "  - {convs: shared, norms: unshared, l1: half, exchange: true}"
COLUMN = (
    "  - {label: Multi-modal fusion, short: Fusion, "
    "convs: shared, norms: unshared, l1: half, exchange: true, emphasised: true}"
)
GROUP = "    task: shade+texture->rgb\n"
SHARING_TABLES = ("table7", "table8", "table9")


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


@pytest.fixture(scope="module")
def before() -> Plan:
    return load_plan(PARAMS, "demo")


def edit(params: Path, file: str, old: str, new: str) -> None:
    text = (params / file).read_text()
    assert text.count(old) == 1
    (params / file).write_text(text.replace(old, new))


def sharing(plan: Plan) -> Plan:
    """Tables 7 to 9 of the plan: its other tables show some of their cells too."""
    return plan.select(tables=SHARING_TABLES)


def places_of(plan: Plan, *tables: str) -> set[tuple[str, int, int]]:
    return {(name, *place) for name in tables for place in ids_by_place(plan.table(name))}


def ids_by_place(table: TableLayout) -> dict[tuple[int, int], str]:
    return {(slot.row, slot.column): slot.cells[0].id for slot in table.slots}


def places_that_moved(before: Plan, after: Plan) -> set[tuple[str, int, int]]:
    return {
        (old.name, *place)
        for old, new in zip(before.tables, after.tables, strict=True)
        for place, cell_id in ids_by_place(new).items()
        if ids_by_place(old)[place] != cell_id
    }


def test_a_row(params: Path, before: Plan) -> None:
    edit(params, "table7.yaml", ROW, ROW.replace("}", ", override: {protocol: {theta: 0.05}}}"))
    after = load_plan(params, "demo")
    assert places_that_moved(before, after) == {("table7", 6, column) for column in range(3)}
    assert len(sharing(before).cells.keys() ^ sharing(after).cells.keys()) == 2  # one cell was removed, one added
    assert before.cells.keys() < after.cells.keys()  # the removed one is still in table 2
    [new] = [cell for cell_id, cell in after.cells.items() if cell_id not in before.cells]
    assert new.protocol.theta == 0.05
    assert after.table("table7").rows[6].labels[-1] == "yes (protocol.theta 0.05)"
    assert after.table("table7").slots[20].paper == {"miou_pct": 51.1}  # still the paper's row
    assert "Shared / Unshared / Half-channel / yes: protocol.theta 0.05." in after.table("table7").protocol_lines


def test_a_column(params: Path, before: Plan) -> None:
    edit(params, "table8.yaml", COLUMN, COLUMN.replace("}", ", override: {network: {dropout: 0.25}}}"))
    moved = places_that_moved(before, load_plan(params, "demo"))
    assert moved == {("table8", row, 3) for row in range(12)}


def test_a_group(params: Path, before: Plan) -> None:
    edit(params, "table8.yaml", GROUP, GROUP + "    override: {protocol: {epochs: 5}}\n")
    moved = places_that_moved(before, load_plan(params, "demo"))
    assert moved == {("table8", row, column) for row in range(3) for column in range(4)}


def test_a_shared_cell_is_split_when_one_table_overrides_it(params: Path, before: Plan) -> None:
    edit(
        params,
        "table9.yaml",
        "defaults: {l1: none, exchange: false}",
        "defaults: {l1: none, exchange: false, override: {protocol: {lr: 0.01}}}",
    )
    after = load_plan(params, "demo")
    assert {name for name, *_ in places_that_moved(before, after)} == {"table9"}
    assert len(sharing(after).cells) == 11 + 12 + 8
    assert len(after.cells) == len(before.cells) + 4


def test_an_evaluation_key_evaluates_again_and_does_not_train_again(params: Path, before: Plan) -> None:
    edit(params, "table8.yaml", COLUMN, COLUMN.replace("}", ", override: {evaluation: {kid_subsets: 5}}}"))
    after = load_plan(params, "demo")
    assert len(after.cells.keys() - before.cells.keys()) == 3
    assert {c.training_id for c in after.cells.values()} == {c.training_id for c in before.cells.values()}
    kept = [c for i, c in after.cells.items() if i not in before.cells]
    assert all(isinstance(c.evaluation, TranslationEvaluation) and c.evaluation.kid_subsets == 5 for c in kept)


def test_an_override_equal_to_the_preset_changes_nothing(params: Path, before: Plan) -> None:
    theta = before.table("table7").cells[0].protocol.theta
    edit(params, "table7.yaml", ROW, ROW.replace("}", f", override: {{protocol: {{theta: {theta}}}}}}}"))
    assert load_plan(params, "demo").cells.keys() == before.cells.keys()


def test_a_preset_key_changes_the_cells_of_its_kind_only(params: Path, before: Plan) -> None:
    edit(params, "presets/demo.yaml", "    momentum: 0.9\n", "    momentum: 0.8\n")
    moved = places_that_moved(before, load_plan(params, "demo"))
    assert {place for place in moved if place[0] in SHARING_TABLES} == {
        ("table7", row, column) for row in range(11) for column in range(3)
    }
    controls = {place for place in moved if place[0] == "table-controls"}
    assert controls == {("table-controls", row, column) for row in range(6) for column in range(3)}
    boundaries = {place for place in moved if place[0] == "table-boundaries"}
    assert boundaries == {("table-boundaries", row, 0) for row in range(3)}
    assert moved - controls - boundaries == places_of(before, "table2", "table7"), "the segmentation tables"


def test_hardware_and_wording_change_no_id(params: Path, before: Plan) -> None:
    edit(params, "presets/demo.yaml", "  workers: 2\n", "  workers: 3\n")
    edit(params, "table7.yaml", "title: Ablation", "title: An ablation")
    edit(params, "table7.yaml", "{heading: Convs,", "{heading: Convolutions,")
    assert load_plan(params, "demo").cells.keys() == before.cells.keys()


def test_a_row_added_with_an_override_leaves_the_papers_numbers_where_they_were(params: Path, before: Plan) -> None:
    """The row is the one suggested in the comments of table7.yaml."""
    suggested = next(line for line in (params / "table7.yaml").read_text().splitlines() if "theta: 0.05" in line)
    edit(params, "table7.yaml", ROW, f"{suggested.replace('#   -', '  -')}\n{ROW}")
    after = load_plan(params, "demo")
    table = after.table("table7")
    assert table.rows[6].labels == ("Shared", "Unshared", "Half-channel", "yes (protocol.theta 0.05)")
    added = [slot for slot in table.slots if slot.row == 6]
    assert all(slot.paper == {} and slot.cells[0].protocol.theta == 0.05 for slot in added)
    assert [slot.paper["miou_pct"] for slot in table.slots if slot.row == 7] == [49.7, 45.1, 51.1]
    assert len(after.cells.keys() - before.cells.keys()) == 1
    assert not before.cells.keys() - after.cells.keys()


def test_of_two_rows_with_the_same_terms_one_must_be_marked_as_not_the_papers(params: Path) -> None:
    labelled = ROW.replace("}", ", labels: [a, b, c, d]}")
    edit(params, "table7.yaml", ROW, f"{ROW}\n{labelled}")
    with pytest.raises(UserError, match="matches 2 slots") as caught:
        load_plan(params, "demo")
    assert "in_paper: false" in str(caught.value)
    edit(params, "table7.yaml", labelled, labelled.replace("}", ", in_paper: false}"))
    table = load_plan(params, "demo").table("table7")
    assert (table.rows[7].labels, table.slots[7 * 3].paper) == (("a", "b", "c", "d"), {})


@pytest.mark.parametrize(
    ("override", "key", "message"),
    [
        ("{protocol: {thta: 0.05}}", "rows[6].override.protocol.thta", "did you mean 'theta'"),
        (
            "{protocol: {theta: '0.05'}}",
            "rows[6].override.protocol.theta",
            "a number",
        ),
        ("{protocol: {theta: -1}}", "rows[6].override.protocol.theta", "greater than 0"),
        ("{protocol: {scale_min: 9.0}}", "rows[6].override.protocol", "exceeds scale_max"),
        ("{protocol: {epochs: 3}}", "rows[6].override.protocol.epochs", "unknown key"),
        ("{protocol: {phases: []}}", "rows[6].override.protocol.phases", "a list of length at least 1"),
        ("{protocol: {phases: [{epochs: 1}]}}", "rows[6].override.protocol.phases[0].lr_encoder", "missing key"),
        ("{protocol: 3}", "rows[6].override.protocol", "a mapping"),
        ("{protcol: {theta: 1.0}}", "rows[6].override.protcol", "did you mean 'protocol'"),
        ("{protocol: {batch_size: 201}}", "rows[6]", "an epoch would have no steps"),
    ],
)
def test_a_wrong_override_is_reported(params: Path, override: str, key: str, message: str) -> None:
    edit(params, "table7.yaml", ROW, ROW.replace("}", f", override: {override}}}"))
    with pytest.raises(UserError) as caught:
        load_plan(params, "demo")
    assert key in str(caught.value)
    assert message in str(caught.value)
    assert caught.value.where == params / "table7.yaml"


def test_a_row_and_a_column_cannot_override_the_same_key(params: Path) -> None:
    row = "{convs: shared, norms: unshared, l1: half, exchange: true, override: {protocol: {theta: 0.05}}}"
    edit(params, "table7.yaml", ROW, f"  - {row}")
    edit(
        params,
        "table7.yaml",
        "{label: RGB, stream: rgb}",
        "{label: RGB, stream: rgb, override: {protocol: {theta: 0.06}}}",
    )
    with pytest.raises(UserError, match="the row and the column both override this key") as caught:
        load_plan(params, "demo")
    assert key_of(caught.value) == "rows[6].override.protocol.theta with columns[0].override.protocol.theta"


def test_an_override_of_one_table_leaves_the_cell_to_the_others(params: Path, before: Plan) -> None:
    """Ours of table 4 is a cell of table 8: a changed row of table 4 adds a new cell and removes none."""
    edit(
        params,
        "table4.yaml",
        """task: depth+normal->rgb
    rows:
      - {fusion: concat}
""",
        """task: depth+normal->rgb
    rows:
      - {fusion: concat, override: {protocol: {lr: 0.01}}}
""",
    )
    after = load_plan(params, "demo")
    assert places_that_moved(before, after) == {("table4", 5, column) for column in range(4)}
    assert sharing(after).cells.keys() == sharing(before).cells.keys()


def test_another_dataset_takes_over_no_setting_of_the_renderer(params: Path) -> None:
    """Version and buildings of rendered rooms mean nothing to a published dataset."""
    rooms = "seed: 1}\n  network: {head: refinenet"
    edit(params, "presets/demo.yaml", rooms, rooms.replace("}", ", buildings: 3, tune_scenes: 2}"))
    other = "{dataset: {name: nyudv2, size_px: 64, train_scenes: 20, val_scenes: 8, seed: 0}}"
    edit(params, "table7.yaml", ROW, ROW.replace("}", f", override: {other}}}"))
    datasets = {cell.dataset for cell in load_plan(params, "demo").table("table7").cells}
    assert {(one.name, one.version, one.buildings, one.tune_scenes) for one in datasets} == {
        ("synthrooms", RENDERED["synthrooms"], 3, 2),
        ("nyudv2", 1, 1, 0),
    }


NO_L1 = "  - {convs: shared, norms: unshared, l1: none, exchange: false}"


@pytest.mark.parametrize("setting", ["lambda_l1: 0.5", "exchange_own_part_only: false"])
def test_a_row_does_not_override_what_none_of_its_cells_uses(params: Path, setting: str) -> None:
    """Its cells would be those of the row above it, under another label."""
    edit(params, "table7.yaml", NO_L1, NO_L1.replace("}", f", override: {{protocol: {{{setting}}}}}}}"))
    with pytest.raises(UserError, match="no cell of this entry uses this setting") as caught:
        load_plan(params, "demo")
    assert f"rows[2].override.protocol.{setting.partition(':')[0]}" in str(caught.value)
    assert "l1 none, fusion none" in str(caught.value)


def test_a_column_may_override_what_only_some_cells_use(params: Path) -> None:
    override = "override: {protocol: {lambda_l1: 0.5}}"
    edit(params, "table7.yaml", "{label: RGB, stream: rgb}", f"{{label: RGB, stream: rgb, {override}}}")
    load_plan(params, "demo")
