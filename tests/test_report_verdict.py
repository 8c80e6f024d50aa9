"""A number is judged against the paper's only where every setting agrees, and gets a word only where it earns it."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from checkout import REPOSITORY
from pydantic import ValidationError
from rich.console import Console
from test_report_table import record, seeds

from cenbench.matrix.cell import Cell
from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.verdict_rules import setting_differences
from cenbench.records.read import CellRecord
from cenbench.report.render_csv import render_csv
from cenbench.report.render_html import render_html
from cenbench.report.render_json import render_json
from cenbench.report.render_latex import render_latex
from cenbench.report.table import Table, build_table
from cenbench.report.terminal_table import render_terminal
from cenbench.report.value import Value

PARAMS = REPOSITORY / "params"
WORDS = {"reproduced", "off", "inconclusive"}
OURS = 6
"""Row of table 7 with the paper's method: 49.7, 45.1 and, for the ensemble, 51.1."""


@pytest.fixture(scope="module")
def official() -> Plan:
    return load_plan(PARAMS, "paper-official")


def changed(cell: Cell, part: str, **settings: Any) -> Cell:
    """The cell with other settings in one part, as a preset or a row would give it."""
    document = cell.model_dump(mode="json")
    document[part] |= settings
    return Cell.model_validate(document)


def with_cells(layout: TableLayout, part: str, **settings: Any) -> TableLayout:
    """The layout with these settings in every cell; the cells of the paper stay as they are."""
    slots = (
        replace(slot, cells=tuple(changed(cell, part, **settings) for cell in slot.cells)) for slot in layout.slots
    )
    return replace(layout, slots=tuple(slots))


def near_the_paper(layout: TableLayout, spread: float = 0.3) -> Table:
    """A table whose numbers lie around the paper's, as if all of it were reproduced."""
    drawn = random.Random(1)
    records: dict[str, CellRecord] = {}
    for slot in layout.slots:
        for cell in slot.cells:
            if cell.id not in records:
                records[cell.id] = record(cell, next(iter(slot.paper.values()), 1.0) + drawn.gauss(0, spread))
    return build_table("paper-official", layout, records)


def value_at(layout: TableLayout, numbers: Mapping[int, float], row: int = OURS, column: int = 2) -> Value:
    """The value of one slot of table 7 whose seeds have these numbers; all other cells have not run."""
    [slot] = [slot for slot in layout.slots if (slot.row, slot.column) == (row, column)]
    records = {cell.id: record(cell, None, "missing", "not run yet") for cell in layout.cells}
    records |= {cell.id: record(cell, numbers[cell.seed]) for cell in slot.cells if cell.seed in numbers}
    found = build_table("paper-official", layout, records).entry(row, column)
    assert found is not None
    return found.values[0]


def judged(layout: TableLayout, *numbers: float) -> Value:
    """Table 7's main number if its seeds, 1, 2, ..., gave these."""
    many = seeds(layout, *range(1, len(numbers) + 1))
    return value_at(many, dict(enumerate(numbers, start=1)))


def settings_that_differ() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every plain setting of the parts of table 7's cells, with another value that is valid."""
    other: dict[str, dict[str, Any]] = {
        "dataset": {
            "name": "synthrooms", "size_px": 234, "width_px": 600, "train_scenes": 700, "val_scenes": 600, "seed": 1,
            "version": 2,
        },
        "network": {
            "head": "pspnet", "depth": 50, "width": 32, "decoder_width": 16, "pretrained": False, "dropout": 0.1,
        },
        "protocol": {
            "batch_size": 5, "lambda_l1": 0.0, "theta": 10.0, "crop_px": 64, "mirror": False, "precision": "bfloat16",
            "momentum": 0.0, "weight_decay": 0.0, "gamma_init": "uniform", "scale_min": 0.6, "scale_max": 1.5,
            "min_side_px": 300, "select_every_epochs": 1, "exchange_own_part_only": True,
            "optimizer": "adamw", "schedule": "cosine", "warmup_steps": 5,
            "phases": [{"epochs": 1, "lr_encoder": 5e-4, "lr_decoder": 3e-3}],
        },
        "evaluation": {"batch_size": 2, "scales": [0.75, 1.0, 1.25], "flip": True, "norm_statistics": "reestimated"},
    }  # fmt: skip
    for part, settings in other.items():
        for name, value in settings.items():
            yield part, {name: value}


@pytest.mark.parametrize(("part", "settings"), list(settings_that_differ()))
def test_any_setting_that_differs_makes_numbers_incomparable_and_is_named(
    official: Plan, part: str, settings: dict[str, Any]
) -> None:
    """Of numbers around the paper's, whatever their making, nothing was easier to say than "reproduced"."""
    layout = official.table("table7")
    layout = replace(layout, slots=layout.slots[OURS * 3 : OURS * 3 + 3])
    if "norm_statistics" in settings:  # refused with `selection: best`
        layout = with_cells(layout, "protocol", name="mine", selection="last")
    table = near_the_paper(with_cells(layout, part, **settings))
    [name] = settings
    for entry in table.entries:
        for value in entry.values:
            assert value.verdict.word == "not comparable"
            assert f"{part}.{name}" in value.verdict.why
            assert " / " in value.verdict.why, "ours and the paper's"
            assert value.delta is None


def test_the_settings_tried_are_all_there_are(official: Plan) -> None:
    """A setting added later must be tried above. The protocol's name and quirks are tied to each other: see below.

    Only datasets that are rendered here have another split than the paper's, to train on or to evaluate, and another
    name than its dataset.
    """
    cell = official.table("table7").cells[OURS * 3]
    tried = {f"{part}.{name}" for part, settings in settings_that_differ() for name in settings}
    known = {name.partition("[")[0] for name in cell.settings if "." in name}
    splits = {"protocol.train_split": "pretrain", "evaluation.split": "tune"}
    for name, value in splits.items():
        part, _, key = name.partition(".")
        with pytest.raises(ValidationError, match="scenes"):
            changed(cell, part, **{key: value})
    tied = {"protocol.name", *(f"protocol.{quirk}" for quirk in cell.protocol.QUIRKS)}
    assert known - tried - tied - splits.keys() == set()


@pytest.mark.parametrize("quirk", ["freeze_norm_statistics", "lambda_per_head", "pad_depth_as_rgb"])
def test_a_quirk_that_is_not_there_makes_numbers_incomparable(official: Plan, quirk: str) -> None:
    layout = official.table("table7")
    table = near_the_paper(with_cells(layout, "protocol", name="mine", **{quirk: False}))
    for entry in table.entries:
        is_read = quirk != "lambda_per_head" or ".l1-none." not in entry.cells[0]
        for value in entry.values:
            if value.paper is not None:
                assert (f"protocol.{quirk}: false / true" in (value.verdict.why or "")) is is_read


@pytest.mark.parametrize(
    ("part", "settings"), [("evaluation", {"samples": 0}), ("protocol", {"auxiliary_weight": 9.0})]
)
def test_samples_and_settings_that_the_cell_does_not_read_move_no_number(
    official: Plan, part: str, settings: dict[str, Any]
) -> None:
    table = near_the_paper(with_cells(official.table("table7"), part, **settings))
    assert {value.verdict.word for value in values(table)} <= WORDS


def values(table: Table) -> Iterator[Value]:
    return (value for entry in table.entries for value in entry.values if value.paper is not None)


def test_the_seed_is_no_difference(official: Plan) -> None:
    cell = official.table("table7").cells[0]
    assert setting_differences(Cell.model_validate({**cell.model_dump(), "seed": 77}), cell) == []


def test_a_row_that_overrides_a_setting_of_the_paper_is_incomparable_though_it_takes_the_papers_number(
    tmp_path: Any,
) -> None:
    """The number of a row with a unique combination of terms stays with it, whatever the row overrides."""
    folder = tmp_path / "params"
    folder.mkdir()
    for path in PARAMS.iterdir():
        (folder / path.name).symlink_to(path)
    text = (PARAMS / "table7.yaml").read_text()
    row = "{convs: shared, norms: unshared, l1: half, exchange: true}"
    assert row in text
    (folder / "table7.yaml").unlink()
    (folder / "table7.yaml").write_text(text.replace(row, row[:-1] + ", override: {protocol: {theta: 0.5}}}"))
    table = near_the_paper(load_plan(folder, "paper-official").table("table7"))
    entry = table.entry(OURS, 2)
    assert entry is not None
    assert entry.values[0].verdict.why == "protocol.theta: 0.5 / 0.02"
    assert entry.values[0].delta is None


@pytest.mark.parametrize("preset", ["demo", "study", "paper"])
def test_no_other_preset_is_comparable(preset: str) -> None:
    for layout in load_plan(PARAMS, preset).tables:
        assert {value.verdict.word for value in values(near_the_paper(layout))} <= {"not comparable"}


def test_the_official_preset_is_comparable_except_where_the_papers_making_or_instrument_is_unknown(
    official: Plan,
) -> None:
    def words(name: str, keep: Any) -> set[str]:
        layout = official.table(name)
        table = near_the_paper(layout)
        found: set[str] = set()
        for slot, entry in zip(layout.slots, table.entries, strict=True):
            if keep(slot):
                found |= {value.verdict.word for value in entry.values if value.paper is not None}
        return found

    everything, judged_words = (lambda slot: True), WORDS
    assert words("table7", everything) <= judged_words
    assert words("table6", everything) <= judged_words
    assert words("table3", lambda slot: slot.cells[0].network.head == "refinenet") <= judged_words
    assert words("table3", lambda slot: slot.cells[0].network.head == "pspnet") == {"not comparable"}
    for name in ("table4", "table5", "table8", "table9"):
        assert words(name, everything) == {"not comparable"}, "FID and KID, whose offset is not measured"
    partly = [slot for slot in official.table("table9").slots if "-unshared" in slot.cells[0].norms]
    assert len(partly) == 18
    assert all(slot.incomparable for slot in partly)


def test_no_output_prints_a_difference_to_an_incomparable_number() -> None:
    layout = load_plan(PARAMS, "paper").table("table7")
    slots = tuple(replace(slot, paper={"miou_pct": 51.0}) for slot in layout.slots)
    layout = replace(layout, slots=slots)
    table = build_table("paper", layout, {cell.id: record(cell, 44.25 + cell.seed) for cell in layout.cells})
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render_terminal(table, 200))
    html, latex = render_html(table), render_latex(table)
    for text in (html, latex, console.export_text(), json.dumps(render_json(table)), render_csv(table)):
        assert "46.2" in text, "our mean is there"
        assert "4.8" not in text.replace("44.8", ""), "51.0 - 46.25 is not"
    assert {line["delta"] for line in csv.DictReader(io.StringIO(render_csv(table)))} == {""}


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ((51.1,), "inconclusive"),
        ((51.0, 51.2), "inconclusive"),
        ((20.0, 50.0, 35.0), "inconclusive"),
        ((51.05, 51.05, 51.05), "inconclusive"),
        ((50.0, 51.5, 49.2), "inconclusive"),
        ((51.0, 51.1, 51.2, 51.05), "reproduced"),
        ((41.0, 41.1, 41.2), "off"),
        ((49.95, 50.0, 50.05), "off"),
        ((50.25, 50.3, 50.35), "inconclusive"),
    ],
)
def test_words(official: Plan, numbers: tuple[float, ...], word: str) -> None:
    """The paper's number is 51.1, the margin 1.0."""
    value = judged(official.table("table7"), *numbers)
    assert value.verdict.word == word, value.verdict.why


@pytest.mark.parametrize("state", ["failed", "missing", "stale", "skipped"])
def test_an_incomplete_slot_has_no_mean_and_no_verdict_and_every_output_says_how_many(
    official: Plan, state: Any
) -> None:
    layout = official.table("table7")
    records = {
        cell.id: record(cell, 51.0 + cell.seed / 10) if cell.seed < 3 else record(cell, None, state, "why")
        for cell in layout.cells
    }
    table = build_table("paper-official", layout, records)
    for entry in table.entries:
        value = entry.values[0]
        assert (value.ours, value.delta, value.verdict.word) == (None, None, "none")
        assert value.verdict.why.startswith("2 of 3 seeds")
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(render_terminal(table, 250))
    assert "2 of 3" in render_latex(table)
    for text in (render_html(table), console.export_text()):
        assert "2 of 3" in text
        assert "51.1 (seed 1)" in text
        assert "seed 3 missing" in text, "a seed without a number is named"
        assert state in text
    assert {(line["seeds"], line["declared"]) for line in csv.DictReader(io.StringIO(render_csv(table)))} == {
        ("2", "3")
    }
    entries = render_json(table)["entries"]
    assert {(value["seeds"], value["declared"]) for entry in entries for value in entry["values"]} == {(2, 3)}


def test_an_unknown_setting_of_the_paper_is_never_comparable_however_near(official: Plan) -> None:
    layout = official.table("table7")
    slots: tuple[Slot, ...] = tuple(replace(slot, reference=None) for slot in layout.slots)
    table = near_the_paper(replace(layout, slots=slots))
    assert {value.verdict.word for value in values(table)} == {"not comparable"}
