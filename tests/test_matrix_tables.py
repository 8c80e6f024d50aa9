"""Tables 7, 8 and 9 ask for the paper's rows and columns, share cells, and show each number of its in place."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cenbench.errors import UserError
from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import SegmentationProtocol, TranslationEvaluation, TranslationProtocol

PARAMS = Path(__file__).parents[1] / "params"
PRESETS = ("demo", "study", "paper")


@pytest.fixture(scope="module")
def demo() -> Plan:
    return load_plan(PARAMS, "demo")


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


def rows_of_paper(table: TableLayout) -> list[dict[str, str]]:
    with (PARAMS / "paper" / "tables_reference.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["table"] == str(table.number)]


def slot_at(table: TableLayout, row: int, column: int) -> Slot:
    return next(slot for slot in table.slots if (slot.row, slot.column) == (row, column))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_seed_of_a_preset_is_27_cells(preset: str) -> None:
    """11 of table 7, 12 of table 8, 8 of table 9, of which 4 are columns of table 8."""
    plan = load_plan(PARAMS, preset)
    seeds = len({cell.seed for cell in plan.cells.values()})
    assert [len(table.cells) for table in plan.tables] == [11 * seeds, 12 * seeds, 8 * seeds]
    assert len(plan.cells) == 27 * seeds
    assert all(len(slot.cells) == seeds for table in plan.tables for slot in table.slots)
    assert len({cell.training_id for cell in plan.cells.values()}) == 27 * seeds
    both = [cell_id for cell_id in plan.cells if plan.tables_of(cell_id) == ("table8", "table9")]
    assert len(both) == 4 * seeds


def test_tables_have_the_papers_shape(demo: Plan) -> None:
    seven, eight, nine = demo.tables
    assert (len(seven.rows), len(seven.columns), len(seven.slots)) == (11, 3, 33)
    assert (len(eight.rows), len(eight.columns), len(eight.slots)) == (3 + 4 + 5, 4, 48)
    assert (len(nine.rows), len(nine.columns), len(nine.slots)) == (4 + 5, 4, 36)
    assert seven.stub == ("Convs", "BNs", "l1 regulation", "Exchange")
    assert seven.rows[6].labels == ("Shared", "Unshared", "Half-channel", "yes")
    assert seven.metrics == ("miou_pct",)
    assert eight.metrics == nine.metrics == ("fid", "kid_x100")
    assert [row.labels for row in eight.rows[:3]] == [("Shade",), ("Texture",), ("Ensemble",)]
    assert [row.group for row in eight.rows].count("Shade+Texture+Depth to RGB") == 4


def test_every_label_has_its_heading(demo: Plan) -> None:
    for table in demo.tables:
        assert all(len(row.labels) == len(table.stub) for row in table.rows)


def test_every_number_of_the_paper_is_in_the_slot_it_was_printed_in(demo: Plan) -> None:
    """Oracle: each CSV line, matched here by hand against what the slot's cell really is."""
    norms_in_csv = {"all-unshared": "unshared"}
    for table in demo.tables:
        for line in rows_of_paper(table):
            fitting = [
                slot
                for slot in table.slots
                if str(slot.cells[0].task) == line["task"]
                and slot.stream == line["stream"]
                and slot.cells[0].convs == line["convs"]
                and slot.cells[0].norms == norms_in_csv.get(line["norms"], line["norms"])
                and (slot.cells[0].fusion == "exchange") == (line["exchange"] == "true")
                and line["l1"] in ("", slot.cells[0].l1)
            ]
            assert len(fitting) == 1, line
            assert fitting[0].paper[line["metric"]] == float(line["value"])
        assert sum(len(slot.paper) for slot in table.slots) == len(rows_of_paper(table))


def test_a_few_numbers_read_off_the_supplement_by_eye(demo: Plan) -> None:
    seven, eight, nine = demo.tables
    assert slot_at(seven, 6, 2).paper == {"miou_pct": 51.1}  # ours, ensemble
    assert slot_at(seven, 1, 0).paper == {"miou_pct": 43.7}  # all shared, RGB
    assert slot_at(eight, 0, 0).paper == {"fid": 102.21, "kid_x100": 5.25}  # first number of table 8
    assert slot_at(eight, 11, 3).paper == {"fid": 57.19, "kid_x100": 1.33}  # last number of table 8
    assert slot_at(eight, 5, 2).paper["fid"] == 107.07  # the misprint: two numbers for one network,
    assert slot_at(nine, 2, 1).paper["fid"] == 102.07  # each kept under its own table
    assert slot_at(eight, 5, 2).cells == slot_at(nine, 2, 1).cells
    assert slot_at(nine, 0, 2).paper["fid"] == 107.86  # statistics unshared is the third column
    assert slot_at(nine, 0, 2).cells[0].norms == "stats-unshared"


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
        ("shared,unshared,,false,shade,fid,100.69", "shared,,,false,shade,fid,100.69", "fits 2 slots"),
        ("45.2,supplement", "45.2x,supplement", "not a line of numbers"),
        ("45.2,supplement", "inf,supplement", "finite and have a source"),
        ("45.2,supplement", "45.2,", "finite and have a source"),
        ("ensemble,miou_pct,45.2", "depth,miou_pct,45.2", "the same slot has two numbers"),
        ("table,task,", "table,tsk,", "wrong columns"),
    ],
)
def test_a_number_without_a_place_of_its_own_is_an_error(params: Path, old: str, new: str, message: str) -> None:
    numbers = params / "paper" / "tables_reference.csv"
    text = numbers.read_text()
    assert old in text
    numbers.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        load_plan(params, "demo")


def test_a_missing_row_is_an_error_unless_meant(params: Path) -> None:
    table = params / "table7.yaml"
    row = "  - {convs: shared, norms: shared, l1: none, exchange: false}\n"
    text = table.read_text().replace(row, "")
    table.write_text(text)
    with pytest.raises(UserError, match="has no slot in this table") as caught:
        load_plan(params, "demo")
    assert caught.value.where == table
    assert str(caught.value).count("whole: false") == 3  # one line a number, each with the mend
    table.write_text(f"{text}whole: false\n")
    assert len(load_plan(params, "demo").table("table7").rows) == 10


def test_the_paper_preset_is_the_released_codes() -> None:
    """facts.md 2a and 2b, typed here a second time."""
    plan = load_plan(PARAMS, "paper")
    seven, eight = plan.tables[0].cells[0], plan.tables[1].cells[0]
    assert isinstance(seven.protocol, SegmentationProtocol)
    phases = [(phase.epochs, phase.lr_encoder, phase.lr_decoder) for phase in seven.protocol.phases]
    assert phases == [(100, 5e-4, 3e-3), (100, 2.5e-4, 1.5e-3), (100, 1e-4, 7e-4)]
    kept = seven.protocol.model_dump(exclude={"phases"})
    assert kept == {
        "name": "clean", "batch_size": 6, "momentum": 0.9, "weight_decay": 1e-5, "lambda_l1": 2e-4, "theta": 2e-2,
        "lambda_per_head": False, "freeze_norm_statistics": False, "crop_px": 500, "scale_min": 0.5, "scale_max": 2.0,
        "mirror": True, "precision": "float32", "gamma_init": "ones",
    }  # fmt: skip
    assert seven.network.model_dump() == {
        "head": "refinenet", "depth": 101, "width": 64, "decoder_width": 256, "pretrained": True, "dropout": 0.5,
    }  # fmt: skip
    assert (seven.dataset.name, seven.dataset.shape_px) == ("nyudv2", (468, 625))
    assert (seven.dataset.train_scenes, seven.dataset.val_scenes) == (795, 654)
    assert isinstance(eight.protocol, TranslationProtocol)
    assert eight.protocol.model_dump() == {
        "name": "clean", "epochs": 300, "batch_size": 1, "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "lambda_l1": 1e-3,
        "theta": 1e-2, "image_weight": 100.0, "gamma_init": "uniform", "resize_px": 286, "crop_px": 256,
        "mirror": True, "precision": "float32",
    }  # fmt: skip
    assert eight.network.model_dump() == {
        "head": "unet", "levels": 8, "generator_width": 64, "discriminator_width": 64, "discriminator_layers": 3,
        "dropout": 0.5,
    }  # fmt: skip
    assert (eight.dataset.name, eight.dataset.shape_px) == ("taskonomy", (256, 256))
    assert (eight.dataset.train_scenes, eight.dataset.val_scenes) == (1000, 500)
    assert isinstance(eight.evaluation, TranslationEvaluation)
    assert eight.evaluation.extractor == "inception-v3"
    assert (eight.evaluation.kid_subsets, eight.evaluation.kid_subset_size) == (50, 500)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_was_done_is_said_under_every_table(preset: str) -> None:
    for table in load_plan(PARAMS, preset).tables:
        said = "\n".join(table.protocol_lines)
        for cell in table.cells:
            assert f"Protocol {cell.protocol.name}" in said
            assert f"theta {cell.protocol.theta:g}" in said
            assert cell.dataset.name in said
            if isinstance(cell.evaluation, TranslationEvaluation):
                assert ("stand-in" in said) == (cell.evaluation.extractor == "seeded-conv")


def test_planning_imports_neither_torch_nor_pandas() -> None:
    """The Snakefile plans at every start; these two would cost seconds."""
    code = (
        "import sys; from pathlib import Path; from cenbench.matrix.plan import load_plan;"
        f"load_plan(Path({str(PARAMS)!r}), 'paper');"
        "print(sorted({'torch', 'pandas', 'numpy', 'rich', 'scipy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
