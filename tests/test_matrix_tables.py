"""The tables have the paper's rows and columns, share cells, and show each of its numbers in its place."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.expand import expand
from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.paper_numbers import read_paper_numbers
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.preset import load_preset, preset_names
from cenbench.matrix.specs import (
    SegmentationEvaluation,
    SegmentationNet,
    SegmentationProtocol,
    TranslationEvaluation,
    TranslationProtocol,
)
from cenbench.matrix.steps import total_steps
from cenbench.matrix.table import load_table, table_names

PARAMS = Path(__file__).parents[1] / "params"
PRESETS = ("demo", "study", "paper")
SHARING_TABLES = ("table7", "table8", "table9")
OTHERS = ("table-controls", "table-boundaries")
METHODS = ("concat", "average", "align", "self-att")
STAGES = ("early", "middle", "late", "all")


@pytest.fixture(scope="module")
def demo() -> Plan:
    return load_plan(PARAMS, "demo")


@pytest.fixture(scope="module")
def tables() -> Mapping[str, TableLayout]:
    """Every table under the demo preset: one seed, so one cell per slot."""
    return {table.name: table for table in every_table("demo").tables}


EXPERIMENTS = ("table-causes", "table-starts", "table-tune")
"""Each is listed by a preset of its own and no other: they need splits that the published datasets do not have."""


def every_table(preset: str) -> Plan:
    """The plan of this preset as if it listed every table but the experiments, and every row group."""
    chosen = load_preset(PARAMS, preset).model_copy(update={"groups": {}})
    numbers = read_paper_numbers(PARAMS)
    names = [name for name in table_names(PARAMS) if name not in EXPERIMENTS]
    found = (expand(load_table(PARAMS, name), chosen, numbers, PARAMS / name) for name in names)
    return Plan(preset, "", tuple(found), chosen.cost)


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


def rows_of_paper(table: TableLayout) -> list[dict[str, str]]:
    with (PARAMS / "paper" / "tables_reference.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["table"] == str(table.number)]


def slot_at(table: TableLayout, row: int, column: int) -> Slot:
    return next(slot for slot in table.slots if (slot.row, slot.column) == (row, column))


def only_cell(slot: Slot) -> Cell:
    [cell] = slot.cells
    return cell


@pytest.mark.parametrize("preset", PRESETS)
def test_a_seed_of_tables_7_to_9_is_27_cells(preset: str) -> None:
    """11 of table 7, 12 of table 8, 8 of table 9, of which 4 are columns of table 8."""
    plan = every_table(preset).select(tables=SHARING_TABLES)
    seeds = len({cell.seed for cell in plan.cells.values()})
    assert [len(table.cells) for table in plan.tables] == [11 * seeds, 12 * seeds, 8 * seeds]
    assert len(plan.cells) == 27 * seeds
    assert all(len(slot.cells) == seeds for table in plan.tables for slot in table.slots)
    assert len({cell.training_id for cell in plan.cells.values()}) == 27 * seeds
    both = [cell_id for cell_id in plan.cells if plan.tables_of(cell_id) == ("table8", "table9")]
    assert len(both) == 4 * seeds


SETTINGS, TASKS_TO_RGB, OTHER_TASKS = 2, 2, 3
OURS = 1
CELLS = {
    "table1": 6,
    "table2": 2 + SETTINGS * len(METHODS) * len(STAGES) + OURS,  # one modality; two settings; ours
    "table3": (4 + 4 + 1) * 2,  # networks on NYUDv2, SUN RGB-D, Cityscapes, each at one scale and at several
    "table4": TASKS_TO_RGB * (len(METHODS) * len(STAGES) + OURS),
    "table5": 7,
    "table6": OTHER_TASKS * (len(METHODS) * len(STAGES) + OURS),
    "table7": 11,
    "table8": 3 * 4,
    "table9": 2 * 4,
    "table-boundaries": 3 + 6,
    "table-controls": 2 * 6,
}
SHOWN_BEFORE = {
    # Ours of table 2 in table 7, of table 4 in table 8; two columns of table 8 in table 9; of each of the controls'
    # groups no fusion, the average and ours; of the boundaries all but one modality alone.
    "demo": OURS + OURS + 2 * 2 + 2 * 3 + 7,
    "study": OURS + OURS + 2 * 2 + 2 * 3 + 7,
    # As demo; all of table 1 in table 7; depth+normal of table 5 in table 4, its four modalities in table 8;
    # RefineNet-101 at one scale in table 7.
    "paper": OURS + OURS + 2 * 2 + CELLS["table1"] + 2 + 1,
}
OF_GROUPS = {"paper": {"table3": 4 * 2}}
"""Cells of the row groups that a preset requests, if it does not request all."""


@pytest.mark.parametrize(("preset", "total", "trained"), [("demo", 153, 153), ("study", 153, 153), ("paper", 157, 153)])
def test_cells_of_a_preset_are_those_of_its_tables_less_the_shared_ones(preset: str, total: int, trained: int) -> None:
    """35 + 34 + 51 + 11 + 12 + 8 + 12 + 9 - 19 = 153 for demo. Table 3's four multi-scale cells are only evaluated."""
    plan = load_plan(PARAMS, preset)
    plan = plan.select(tables=[table.name for table in plan.tables])
    seeds = len({cell.seed for cell in plan.cells.values()})
    cells = CELLS | OF_GROUPS.get(preset, {})
    assert {table.name: len(table.cells) for table in plan.tables} == {
        table.name: cells[table.name] * seeds for table in plan.tables
    }
    assert sum(cells[table.name] for table in plan.tables) - SHOWN_BEFORE[preset] == total
    assert len(plan.cells) == total * seeds
    assert len({cell.training_id for cell in plan.cells.values()}) == trained * seeds
    assert all(len(slot.cells) == seeds for table in plan.tables for slot in table.slots)


SAME_DATA = {"paper-sunrgbd": (3 * 2, 3), "paper-cityscapes": (2, 1)}
"""Cells and networks that are one in two groups of table 3, where the preset's own dataset is another group's: on SUN
RGB-D all but ResNet-152's RefineNet, which trains longer on NYUDv2; on Cityscapes PSPNet's on ResNet-101."""


@pytest.mark.parametrize("preset", sorted({*preset_names(PARAMS)} - {"tune"}))
def test_every_declared_table_expands_under_every_preset(preset: str) -> None:
    """Also tables and row groups a preset does not list, since a user may: 175 cells of 166 networks per seed."""
    plan = every_table(preset)
    seeds = len({cell.seed for cell in plan.cells.values()})
    cells, networks = SAME_DATA.get(preset, (0, 0))
    expected = CELLS | {"table3": CELLS["table3"] - cells}
    assert {table.name: len(table.cells) for table in plan.tables} == {n: expected[n] * seeds for n in CELLS}
    assert all(len(slot.cells) == seeds for table in plan.tables for slot in table.slots)
    assert len(plan.cells) == (175 - cells) * seeds
    assert len({cell.training_id for cell in plan.cells.values()}) == (166 - networks) * seeds


@pytest.mark.parametrize(
    ("preset", "dataset", "rows", "steps"),
    [("paper-sunrgbd", ("sunrgbd", 5285, 5050), 8, 39_600), ("paper-cityscapes", ("cityscapes", 2975, 500), 2, 40_122)],
)
def test_the_other_datasets_of_table_3_have_a_preset_each(
    preset: str, dataset: tuple[str, int, int], rows: int, steps: int
) -> None:
    """About as many steps as on NYUDv2, and otherwise its protocol, since no source gives another."""
    plan, paper = load_plan(PARAMS, preset), load_preset(PARAMS, "paper").segmentation.protocol
    [table] = plan.tables
    assert len(table.rows) == rows
    for cell in table.cells:
        assert (cell.dataset.name, cell.dataset.train_scenes, cell.dataset.val_scenes) == dataset
        assert total_steps(cell) == steps
        assert isinstance(cell.protocol, SegmentationProtocol)
        own = {"phases", "crop_px", "batch_size", "min_side_px"}
        assert cell.protocol.model_dump(exclude=own) == paper.model_dump(exclude=own)
        rates = [(phase.lr_encoder, phase.lr_decoder) for phase in cell.protocol.phases]
        assert rates == [(phase.lr_encoder, phase.lr_decoder) for phase in paper.phases]
    assert {slot.cells[0].dataset == load_preset(PARAMS, preset).segmentation.dataset for slot in table.slots} == {True}


def test_demo_and_paper_list_their_documented_tables() -> None:
    demo, paper = load_preset(PARAMS, "demo"), load_preset(PARAMS, "paper")
    assert demo.tables == ("table2", "table4", "table6", "table7", "table8", "table9", *OTHERS)
    assert set(table_names(PARAMS)) == {*CELLS, *EXPERIMENTS}
    assert paper.tables == tuple(name for name in CELLS if name.removeprefix("table").isdigit())
    assert not demo.groups
    assert paper.groups == {"table3": ("NYUDv2",)}


def test_a_preset_may_request_single_row_groups(demo: Plan, tmp_path: Path) -> None:
    """They keep their rows, slots and the paper's numbers; only the table's other groups are dropped."""
    params = Path(shutil.copytree(PARAMS, tmp_path / "params"))
    groups = {"table2": ["One modality"], "table4": ["Depth+Normal to RGB"], "table6": ["RGB+Edge to Depth"]}
    with (params / "presets" / "demo.yaml").open("a") as file:
        file.write(f"groups: {json.dumps(groups)}\n")
    some = load_plan(params, "demo")
    for name, labels in groups.items():
        part, whole = some.table(name), demo.table(name)
        assert len(part.rows) < len(whole.rows)
        kept = [place for place, row in enumerate(whole.rows) if row.group in labels]
        assert [row.labels for row in part.rows] == [whole.rows[place].labels for place in kept]
        assert {row.group for row in part.rows} == set(labels)
        expected = [(kept.index(s.row), s.column, s.stream, s.paper) for s in whole.slots if s.row in kept]
        assert [(s.row, s.column, s.stream, s.paper) for s in part.slots] == expected


def test_tables_have_the_papers_shape(demo: Plan) -> None:
    seven, eight, nine = (demo.table(name) for name in SHARING_TABLES)
    assert (len(seven.rows), len(seven.columns), len(seven.slots)) == (11, 3, 33)
    assert (len(eight.rows), len(eight.columns), len(eight.slots)) == (3 + 4 + 5, 4, 48)
    assert (len(nine.rows), len(nine.columns), len(nine.slots)) == (4 + 5, 4, 36)
    assert seven.stub == ("Convs", "BNs", "l1 regulation", "Exchange")
    assert seven.rows[6].labels == ("Shared", "Unshared", "Half-channel", "yes")
    assert seven.metrics == ("miou_pct",)
    assert eight.metrics == nine.metrics == ("fid", "kid_x100")
    assert [row.labels for row in eight.rows[:3]] == [("Shade",), ("Texture",), ("Ensemble",)]
    assert [row.group for row in eight.rows].count("Shade+Texture+Depth to RGB") == 4


def test_table_1_is_a_view_of_table_7(tables: Mapping[str, TableLayout]) -> None:
    one, seven = tables["table1"], tables["table7"]
    assert (len(one.rows), len(one.columns), len(one.slots)) == (6, 3, 18)
    assert (one.stub, one.columns, one.metrics) == (seven.stub, seven.columns, seven.metrics)
    in_seven = {(slot.cells, slot.column, slot.stream): seven.rows[slot.row].labels for slot in seven.slots}
    assert all(in_seven[slot.cells, slot.column, slot.stream] == one.rows[slot.row].labels for slot in one.slots)


def test_table_2_has_two_settings_of_every_method_at_every_stage(tables: Mapping[str, TableLayout]) -> None:
    two = tables["table2"]
    alone, one_stream, parallel = range(2), range(2, 18), range(18, 35)
    groups = [row.group for row in two.rows]
    assert len(set(groups)) == 3
    assert all(len({groups[row] for row in rows}) == 1 for rows in (alone, one_stream, parallel))
    assert [column.label for column in two.columns] == ["RGB", "Depth", "Ensemble", "Cost"]
    costs = ("params_m", "fusion_params_m", "gflops")
    assert [column.metrics for column in two.columns] == [*[("miou_pct",)] * 3, costs]
    assert two.metrics == ("miou_pct", *costs)
    filled = [{slot.column for slot in two.slots if slot.row == row} for row in range(len(two.rows))]
    assert filled == [{0, 3}, {1, 3}, *[{2, 3} for _ in one_stream], *[{0, 1, 2, 3} for _ in parallel]]
    assert len(two.slots) == 2 * 2 + 16 * 2 + 17 * 4
    cells = [only_cell(next(slot for slot in two.slots if slot.row == row)) for row in range(len(two.rows))]
    assert all(only_cell(slot) == cells[slot.row] for slot in two.slots), "a row is one network"
    assert [(str(cell.task), cell.fusion) for cell in cells[:2]] == [
        ("rgb->semantic", "uni-modal"),
        ("depth->semantic", "uni-modal"),
    ]
    assert {str(cell.task) for cell in cells[2:]} == {"rgb+depth->semantic"}
    for rows, convs in ((one_stream, "unshared"), (parallel[:-1], "shared")):
        made = [cells[row] for row in rows]
        assert [(cell.fusion, cell.stage) for cell in made] == list(product(METHODS, STAGES))
        assert {(cell.convs, cell.norms, cell.l1) for cell in made} == {(convs, "unshared", "none")}
        merged = [convs == "unshared" and cell.fusion != "align" for cell in made]  # alignment mixes no features
        assert [cell.merged for cell in made] == merged
    assert cells[34] == only_cell(slot_at(tables["table7"], 6, 0)), "ours is the method's row of table 7"
    assert (two.rows[18].labels, two.rows[21].labels) == (("Concat", "Early"), ("Concat", "All stages"))
    assert two.rows[34].labels[0] == "Ours"


def test_table_3_is_four_networks_each_at_one_scale_and_at_several(tables: Mapping[str, TableLayout]) -> None:
    plan = load_plan(PARAMS, "paper")
    three = plan.table("table3")
    assert (len(three.rows), len(three.columns), len(three.slots)) == (8, 1, 8)
    assert three.metrics == ("pixel_acc_pct", "mean_acc_pct", "miou_pct")
    cells = [slot.cells[0] for slot in three.slots]
    networks = [(cell.network.model_dump()["head"], cell.network.model_dump()["depth"]) for cell in cells]
    expected = [("refinenet", 101), ("refinenet", 152), ("pspnet", 101), ("pspnet", 152)]
    assert networks == [network for network in expected for _ in range(2)]
    for single, several in zip(cells[::2], cells[1::2], strict=True):
        assert single.training_id == several.training_id, "evaluated again, not trained again"
        assert single.id != several.id
        assert isinstance(single.evaluation, SegmentationEvaluation)
        assert isinstance(several.evaluation, SegmentationEvaluation)
        assert (single.evaluation.scales, single.evaluation.flip) == ((1.0,), False)
        assert len(several.evaluation.scales) > 1
        assert several.evaluation.flip
    assert {(cell.fusion, cell.l1, cell.convs, cell.norms) for cell in cells} == {
        ("exchange", "half", "shared", "unshared")
    }
    assert cells[0] == slot_at(plan.table("table7"), 6, 0).cells[0]
    whole = tables["table3"]
    assert [row.labels for row in whole.rows[:8]] == [row.labels for row in three.rows]
    assert [row.group for row in whole.rows] == ["NYUDv2"] * 8 + ["SUN RGB-D"] * 8 + ["Cityscapes"] * 2
    assert [row.labels for row in whole.rows[8:16]] == [row.labels for row in three.rows]
    datasets = [only_cell(slot).dataset.name for slot in whole.slots]
    assert datasets[8:] == ["sunrgbd"] * 8 + ["cityscapes"] * 2


@pytest.mark.parametrize(
    ("name", "tasks", "metrics"),
    [
        ("table4", ["shade+texture->rgb", "depth+normal->rgb"], ("fid", "kid_x100")),
        ("table6", ["rgb+shade->normal", "rgb+normal->shade", "rgb+edge->depth"], ("mae_x10", "rmse_x10", "mse_x10")),
    ],
)
def test_tables_4_and_6_are_tasks_by_methods_by_stages_and_ours(
    tables: Mapping[str, TableLayout], name: str, tasks: list[str], metrics: tuple[str, ...]
) -> None:
    table = tables[name]
    assert table.metrics == metrics
    assert [column.label for column in table.columns] == ["Early", "Middle", "Late", "All layers"]
    labels = [("Concat",), ("Average",), ("Align",), ("Self-att.",), ("Ours",)]
    assert [row.labels for row in table.rows] == labels * len(tasks)
    found = []
    for slot in table.slots:
        cell = only_cell(slot)
        found.append((slot.row, slot.column, str(cell.task), cell.fusion, cell.stage))
    expected = []
    for place, task in enumerate(tasks):
        for (row, method), (column, stage) in product(enumerate(METHODS), enumerate(STAGES)):
            expected.append((5 * place + row, column, task, method, stage))
        expected.append((5 * place + 4, 3, task, "exchange", "all"))
    assert found == expected
    for slot in table.slots:
        cell = only_cell(slot)
        assert (cell.convs, cell.norms, cell.merged, slot.stream) == ("shared", "unshared", False, "ensemble")
        assert cell.l1 == ("half" if cell.fusion == "exchange" else "none")


def test_each_row_of_table_5_has_its_modalities(tables: Mapping[str, TableLayout]) -> None:
    five = tables["table5"]
    assert (len(five.rows), len(five.columns), len(five.slots)) == (7, 1, 7)
    cells = [only_cell(slot) for slot in five.slots]
    assert [(set(cell.task.inputs), cell.fusion, cell.l1) for cell in cells] == [
        ({"depth"}, "uni-modal", "none"),
        ({"normal"}, "uni-modal", "none"),
        ({"texture"}, "uni-modal", "none"),
        ({"shade"}, "uni-modal", "none"),
        ({"depth", "normal"}, "exchange", "half"),
        ({"depth", "normal", "texture"}, "exchange", "half"),
        ({"depth", "normal", "texture", "shade"}, "exchange", "half"),
    ]
    assert {(cell.task.target, slot.stream) for cell, slot in zip(cells, five.slots, strict=True)} == {
        ("rgb", "ensemble")
    }


def test_ours_is_one_cell_wherever_it_is_shown(tables: Mapping[str, TableLayout]) -> None:
    four, five, eight = tables["table4"], tables["table5"], tables["table8"]
    assert slot_at(four, 4, 3).cells == slot_at(eight, 2, 3).cells  # shade+texture
    assert slot_at(four, 9, 3).cells == slot_at(five, 4, 0).cells  # depth+normal
    assert slot_at(five, 6, 0).cells == slot_at(eight, 11, 3).cells  # four modalities


def test_every_label_has_its_heading(tables: Mapping[str, TableLayout]) -> None:
    for table in tables.values():
        assert all(len(row.labels) == len(table.stub) for row in table.rows)
        assert all(label for row in table.rows for label in row.labels[:1])


NETWORKS_OF_TABLE_3 = {
    "nyudv2/refinenet-resnet101/single-scale": 0,
    "nyudv2/refinenet-resnet152/single-scale": 2,
    "nyudv2/pspnet-resnet152": 7,
    "sunrgbd/pspnet-resnet152": 8 + 7,
}
"""The rows, counted by hand in params/table3.yaml: its shape test checks which network each is."""


def is_printed_there(line: dict[str, str], slot: Slot, table: TableLayout) -> bool:
    """Oracle: a CSV line, matched by hand against what the slot's cell really is."""
    cell = only_cell(slot)
    metric = {(6, "mse_x10"): "rmse_x10"}.get((table.number, line["metric"]), line["metric"])
    fits = metric in table.columns[slot.column].metrics and slot.stream == (line["stream"] or "ensemble")
    if table.number == 3:
        return fits and slot.row == NETWORKS_OF_TABLE_3.get(line["task"])
    inputs, target = line["task"].split("->")
    if table.number == 2 and line["method"] == "uni-modal":
        inputs = line["stream"]
    if table.number in (4, 5):  # the order of modalities is table 8's there
        fits = fits and set(cell.task.inputs) == set(inputs.split("+"))
    else:
        fits = fits and "+".join(cell.task.inputs) == inputs
    fits = fits and cell.task.target == target and not cell.merged
    if line["method"]:
        ours = line["method"] == "ours"
        fits = fits and cell.fusion == ("exchange" if ours else line["method"])
        fits = fits and cell.stage == (line["stage"] or "all")
        return fits and (cell.convs, cell.norms, cell.l1) == ("shared", "unshared", "half" if ours else "none")
    return (
        fits
        and cell.convs == line["convs"]
        and cell.norms == {"all-unshared": "unshared"}.get(line["norms"], line["norms"])
        and cell.fusion == ("exchange" if line["exchange"] == "true" else "none")
        and line["l1"] in ("", cell.l1)
    )


@pytest.mark.parametrize("name", CELLS)
def test_every_number_of_the_paper_is_in_the_slot_it_was_printed_in(
    tables: Mapping[str, TableLayout], name: str
) -> None:
    """Each in exactly one, and no slot has another."""
    table = tables[name]
    lines = rows_of_paper(table)
    for line in lines:
        fitting = [slot for slot in table.slots if is_printed_there(line, slot, table)]
        assert len(fitting) == 1, line
        metric = "rmse_x10" if line["metric"] == "mse_x10" else line["metric"]
        assert fitting[0].paper[metric] == float(line["value"]), line
    assert sum(len(slot.paper) for slot in table.slots) == len(lines)
    assert load_table(PARAMS, name).whole, "no number may be without a slot"


def test_a_few_numbers_of_tables_7_to_9_copied_by_eye(demo: Plan) -> None:
    seven, eight, nine = (demo.table(name) for name in SHARING_TABLES)
    assert slot_at(seven, 6, 2).paper == {"miou_pct": 51.1}  # ours, ensemble
    assert slot_at(seven, 1, 0).paper == {"miou_pct": 43.7}  # all shared, RGB
    assert slot_at(eight, 0, 0).paper == {"fid": 102.21, "kid_x100": 5.25}  # first number of table 8
    assert slot_at(eight, 11, 3).paper == {"fid": 57.19, "kid_x100": 1.33}  # last number of table 8
    assert slot_at(eight, 5, 2).paper["fid"] == 107.07  # the misprint: two numbers for one network,
    assert slot_at(nine, 2, 1).paper["fid"] == 102.07  # each kept under its own table
    assert slot_at(eight, 5, 2).cells == slot_at(nine, 2, 1).cells
    assert slot_at(nine, 0, 2).paper["fid"] == 107.86  # statistics unshared is the third column
    assert slot_at(nine, 0, 2).cells[0].norms == "stats-unshared"


def test_a_few_numbers_of_tables_1_to_6_copied_by_eye(tables: Mapping[str, TableLayout]) -> None:
    """From paper.md#tables."""
    one, two, three, four, five, six = (tables[f"table{number}"] for number in range(1, 7))
    assert all(slot.paper == {} for slot in one.slots)  # which rows of table 7 it contains is unknown
    assert slot_at(two, 0, 0).paper == {"miou_pct": 45.5}  # RGB alone
    assert slot_at(two, 1, 1).paper == {"miou_pct": 35.8}  # depth alone
    assert [slot_at(two, 34, column).paper for column in range(4)] == [
        {"miou_pct": 49.7}, {"miou_pct": 45.1}, {"miou_pct": 51.1}, {},
    ]  # fmt: skip
    assert slot_at(three, 7, 0).paper == {"pixel_acc_pct": 77.7, "mean_acc_pct": 65.0, "miou_pct": 52.5}  # PSPNet-152
    assert slot_at(three, 15, 0).paper == {"pixel_acc_pct": 83.5, "mean_acc_pct": 63.2, "miou_pct": 51.1}  # SUN RGB-D
    unknown = [slot_at(three, row, 0).incomparable is not None for row in (0, 1, 7, 15, 17)]
    assert unknown == [False, False, True, True, False], "no source describes how PSPNet was made"
    assert slot_at(three, 0, 0).paper == {"pixel_acc_pct": 76.2, "mean_acc_pct": 62.8, "miou_pct": 51.1}
    assert slot_at(four, 0, 3).paper == {"fid": 78.82, "kid_x100": 3.13}  # texture+shade, concat, all layers
    assert slot_at(four, 7, 3).paper == {"fid": 105.03, "kid_x100": 4.91}  # depth+normal, align, all layers
    assert slot_at(four, 4, 3).paper == {"fid": 62.63, "kid_x100": 1.65}  # texture+shade, ours
    assert slot_at(four, 0, 0).paper == {}  # single stages have no source
    assert slot_at(five, 5, 0).paper == {"fid": 60.90, "kid_x100": 1.56}  # depth+normal+texture
    assert slot_at(five, 0, 0).paper == {"fid": 113.91, "kid_x100": 5.68}  # depth alone
    assert slot_at(six, 3, 1).paper == {"mae_x10": 1.18, "rmse_x10": 2.59}  # RGB+shade, self-attention, middle
    assert slot_at(six, 14, 3).paper == {"mae_x10": 0.28, "rmse_x10": 0.66}  # RGB+edge, ours
    assert slot_at(six, 12, 3).paper == {"mae_x10": 0.44, "rmse_x10": 0.90}  # RGB+edge, align, all layers


def test_the_papers_mse_is_matched_with_our_rmse_only_if_the_table_declares_it(params: Path) -> None:
    table = params / "table6.yaml"
    text = table.read_text()
    line = next(line for line in text.splitlines(True) if line.startswith("paper_metrics:"))
    table.write_text(text.replace(line, ""))
    assert slot_at(load_plan(params, "demo").table("table6"), 3, 1).paper == {"mae_x10": 1.18, "mse_x10": 2.59}
    table.write_text(text.replace(line, "").replace("metrics: [mae_x10, rmse_x10, mse_x10]", "metrics: [mae_x10]"))
    with pytest.raises(UserError, match="metric this table does not show"):
        load_plan(params, "demo")


def test_a_table_that_is_not_whole_may_lack_slots_for_numbers(params: Path) -> None:
    """Without its group SUN RGB-D, table 3 lacks slots for three numbers: an error, unless `whole: false` allows it."""
    preset, numbers = load_preset(params, "demo"), read_paper_numbers(params)
    table = params / "table3.yaml"
    text = table.read_text()
    first, last = text.index("  - label: SUN RGB-D\n"), text.index("  - label: Cityscapes\n")
    table.write_text(text[:first] + text[last:])
    with pytest.raises(UserError, match="has no slot in this table") as caught:
        expand(load_table(params, "table3"), preset, numbers, table)
    assert str(caught.value).count("sunrgbd/pspnet-resnet152") == 3
    table.write_text(f"whole: false\n{table.read_text()}")
    assert len(expand(load_table(params, "table3"), preset, numbers, table).rows) == 10


def test_a_slot_without_a_number_in_the_file_gets_none(params: Path) -> None:
    numbers = params / "paper" / "tables_reference.csv"
    kept = [
        line
        for line in numbers.read_text().splitlines(True)
        if not line.endswith("ensemble,miou_pct,51.1,supplement\n")
    ]
    numbers.write_text("".join(kept))
    table = load_plan(params, "demo").table("table7")
    assert slot_at(table, 6, 2).paper == {}
    assert slot_at(table, 6, 1).paper == {"miou_pct": 45.1}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("semantic,,,shared,shared,none,false,rgb", "semantic,,,shared,shared,half,false,rgb", "has no slot"),
        ("shade,fid,102.21", "shade,mae_x10,102.21", "metric this table does not show"),
        ("shared,unshared,,false,shade,fid,100.69", "shared,,,false,shade,fid,100.69", "matches 2 slots"),
        ("45.2,supplement", "45.2x,supplement", "invalid value"),
        ("45.2,supplement", "inf,supplement", "invalid value"),
        ("45.2,supplement", "45.2,", "invalid value"),
        ("ensemble,miou_pct,45.2", "depth,miou_pct,45.2", "two numbers for the same slot"),
        ("table,task,", "table,tsk,", "wrong columns"),
    ],
)
def test_a_number_without_exactly_one_slot_is_an_error(params: Path, old: str, new: str, message: str) -> None:
    numbers = params / "paper" / "tables_reference.csv"
    text = numbers.read_text()
    assert old in text
    numbers.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        load_plan(params, "demo")


@pytest.mark.parametrize(
    ("old", "new", "key", "found", "expected"),
    [
        ("45.5,", "511,", "value (line 2)", "'511'", "at least 0, at most 100"),
        ("45.5,", "-45.5,", "value (line 2)", "'-45.5'", "at least 0"),
        ("45.5,", '"45,5",', "value (line 2)", "'45,5'", "a number such as 51.1"),
        ("45.5,", ",", "value (line 2)", "nothing", "a number such as 51.1"),
        ("\n2,rgb", "\n77,rgb", "table (line 2)", "'77'", "the number of a table: 1, 2,"),
        ("\n2,rgb", "\n٢,rgb", "table (line 2)", "'٢'", "the number of a table"),
        ("miou_pct,45.5", ",45.5", "metric (line 2)", "nothing", "the key of a metric"),
        ("45.5,", "45.5,x,", "line 2", "13", "12 fields: table,task,"),
    ],
)
def test_an_invalid_number_of_the_paper_is_reported_by_field(
    params: Path, old: str, new: str, key: str, found: str, expected: str
) -> None:
    numbers = params / "paper" / "tables_reference.csv"
    text = numbers.read_text()
    assert old in text
    numbers.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        read_paper_numbers(params)
    assert (caught.value.where, caught.value.key, str(caught.value.found)) == (numbers, key, found)
    assert expected in str(caught.value.expected)


def test_a_spreadsheets_file_and_empty_lines_are_read(params: Path) -> None:
    """Excel begins UTF-8 with a byte order mark, ends lines with CR LF, and leaves empty rows as commas."""
    path = params / "paper" / "tables_reference.csv"
    before = read_paper_numbers(params)
    text = path.read_text().replace("\n", "\r\n") + "\r\n,,,,,,,,,,,\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_paper_numbers(params) == before


def test_the_papers_numbers_are_a_regular_utf8_file(params: Path) -> None:
    path = params / "paper" / "tables_reference.csv"
    path.write_bytes(path.read_bytes() + b"\n\xff")
    lines = path.read_bytes().count(b"\n") + 1
    with pytest.raises(UserError, match="not UTF-8") as caught:
        read_paper_numbers(params)
    assert caught.value.key == f"line {lines}"
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="not a regular file"):
        read_paper_numbers(params)


def test_a_missing_row_is_an_error_unless_declared(params: Path) -> None:
    table = params / "table7.yaml"
    row = "  - {convs: shared, norms: shared, l1: none, exchange: false}\n"
    text = table.read_text().replace(row, "")
    table.write_text(text)
    with pytest.raises(UserError, match="has no slot in this table") as caught:
        load_plan(params, "demo")
    assert caught.value.where == table
    assert str(caught.value).count("whole: false") == 3  # one line per number, each with the fix
    table.write_text(f"{text}whole: false\n")
    assert len(load_plan(params, "demo").table("table7").rows) == 10


def test_the_paper_preset_is_the_released_codes() -> None:
    """paper.md#segmentation and paper.md#translation, typed independently."""
    plan = load_plan(PARAMS, "paper")
    seven, eight = plan.table("table7").cells[0], plan.table("table8").cells[0]
    assert isinstance(seven.protocol, SegmentationProtocol)
    phases = [(phase.epochs, phase.lr_encoder, phase.lr_decoder) for phase in seven.protocol.phases]
    assert phases == [(100, 5e-4, 3e-3), (100, 2.5e-4, 1.5e-3), (100, 1e-4, 7e-4)]
    kept = seven.protocol.model_dump(exclude={"phases"})
    assert kept == {
        "name": "clean", "batch_size": 6, "momentum": 0.9, "weight_decay": 1e-5, "lambda_l1": 2e-4, "theta": 2e-2,
        "lambda_per_head": False, "freeze_norm_statistics": False, "crop_px": 500, "scale_min": 0.5, "scale_max": 2.0,
        "min_side_px": 350, "mirror": True, "precision": "float32", "gamma_init": "ones",
        "auxiliary_weight": 0.4, "exchange_own_part_only": False, "pad_depth_as_rgb": False, "selection": "last",
        "select_every_epochs": 5, "optimizer": "sgd", "schedule": "constant", "warmup_steps": 0, "train_split": "train",
        "traced_convs": (7, 8),
    }  # fmt: skip
    assert seven.network.model_dump(exclude={"pretraining"}) == {
        "head": "refinenet", "depth": 101, "width": 64, "decoder_width": 256, "pretrained": True, "dropout": 0.5,
    }  # fmt: skip
    assert (seven.dataset.name, seven.dataset.shape_px) == ("nyudv2", (468, 625))
    assert (seven.dataset.train_scenes, seven.dataset.val_scenes) == (795, 654)
    assert isinstance(eight.protocol, TranslationProtocol)
    assert eight.protocol.model_dump() == {
        "name": "clean", "epochs": 300, "batch_size": 1, "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "lambda_l1": 1e-3,
        "theta": 1e-2, "image_weight": 100.0, "gamma_init": "uniform", "resize_px": 286, "crop_px": 256,
        "mirror": True, "precision": "float32", "exchange_own_part_only": False,
        "two_generator_passes": False, "crop_past_edge": False, "selection": "last", "select_every_epochs": 5,
        "schedule": "constant", "warmup_steps": 0, "train_split": "train",
        "traced_convs": (7, 8),
    }  # fmt: skip
    assert eight.network.model_dump() == {
        "head": "unet", "levels": 8, "generator_width": 64, "discriminator_width": 64, "discriminator_layers": 3,
        "dropout": 0.5, "encoder_norms": "inner",
    }  # fmt: skip
    assert (eight.dataset.name, eight.dataset.shape_px) == ("taskonomy", (256, 256))
    assert (eight.dataset.train_scenes, eight.dataset.val_scenes) == (1000, 500)
    assert isinstance(seven.evaluation, SegmentationEvaluation)
    assert (seven.evaluation.batch_size, seven.evaluation.scales, seven.evaluation.flip) == (1, (1.0,), False)
    assert isinstance(eight.evaluation, TranslationEvaluation)
    assert not any(getattr(eight.evaluation, quirk) for quirk in eight.evaluation.QUIRKS)
    assert eight.evaluation.extractor == "inception-v3"
    assert (eight.evaluation.kid_subsets, eight.evaluation.kid_subset_size) == (50, 500)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_lines_below_a_table_describe_its_protocol(preset: str) -> None:
    for table in load_plan(PARAMS, preset).tables:
        lines = "\n".join(table.protocol_lines)
        for cell in table.cells:
            assert f"Protocol {cell.protocol.name}" in lines
            assert f"theta {cell.protocol.theta:g}" in lines
            assert cell.dataset.name in lines
            if isinstance(cell.evaluation, TranslationEvaluation):
                assert ("stand-in" in lines) == (cell.evaluation.extractor == "seeded-conv")


def test_planning_imports_neither_torch_nor_pandas() -> None:
    """The Snakefile plans at every start; these two would cost seconds."""
    code = (
        "import sys; from pathlib import Path; from cenbench.matrix.plan import load_plan;"
        f"load_plan(Path({str(PARAMS)!r}), 'paper');"
        "print(sorted({'torch', 'pandas', 'numpy', 'rich', 'scipy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_resnet_152_is_trained_half_as_long_again() -> None:
    """39,600 steps, 59,400 for ResNet-152 (paper.md#segmentation). PSPNet is not in the released code."""
    for preset in ("paper", "paper-official"):
        steps = {
            (cell.network.head, cell.network.depth): total_steps(cell)
            for cell in load_plan(PARAMS, preset).cells_of("table3")
            if isinstance(cell.network, SegmentationNet)
        }
        assert steps[("refinenet", 101)] == 39_600
        assert steps[("refinenet", 152)] == 59_400


def test_a_file_of_numbers_without_a_line_is_refused(tmp_path: Path) -> None:
    params = Path(shutil.copytree(PARAMS, tmp_path / "params"))
    numbers = params / "paper" / "tables_reference.csv"
    numbers.write_text(numbers.read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match="the paper's numbers are missing"):
        load_plan(params, "demo")
