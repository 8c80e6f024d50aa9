"""The table object: means, spreads, deltas, states, verdicts, best of column and orderings, from records alone."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from checkout import REPOSITORY

from cenbench.matrix.cell import Cell
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.plan import Plan, load_plan
from cenbench.report.table import Entry, build_table
from cenbench.report.verdict import judge
from cenbench.run.record import CellRecord, State


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(REPOSITORY / "params", "paper")


def record(
    cell: Cell, value: float | None, state: State = "ok", reason: str | None = None, stand_in: Mapping[str, str] = {}
) -> CellRecord:
    """A cell whose every stream has `value` for every metric; None: no numbers."""
    names = ("miou_pct", "pixel_acc_pct", "mean_acc_pct", "fid", "kid_x100")
    metrics = {} if value is None else {stream: dict.fromkeys(names, value) for stream in cell.task.streams}
    return CellRecord(cell, state, reason, metrics, stand_in, Path("nowhere"), None)


def seeds(layout: TableLayout, *numbers: int) -> TableLayout:
    """The layout with these seeds in every slot."""
    slots = (
        replace(
            slot, cells=tuple(Cell.model_validate({**slot.cells[0].model_dump(), "seed": seed}) for seed in numbers)
        )
        for slot in layout.slots
    )
    return replace(layout, slots=tuple(slots))


def entry_of(layout: TableLayout, entries: tuple[Entry, ...], row: int, column: int) -> Entry:
    return next(entry for entry in entries if (entry.row, entry.column) == (row, column))


def test_mean_spread_and_delta_over_seeds(plan: Plan) -> None:
    layout = seeds(plan.table("table7"), 1, 2, 3)
    drawn = {1: 50.0, 2: 51.5, 3: 49.2}
    records = {cell.id: record(cell, drawn[cell.seed]) for cell in layout.cells}
    table = build_table("paper", layout, records)
    value = entry_of(layout, table.entries, 6, 2).values[0]
    assert value.paper == 51.1
    assert value.ours == pytest.approx(statistics.mean(drawn.values()), rel=1e-12)
    assert value.spread == pytest.approx(math.sqrt(sum((x - value.ours) ** 2 for x in drawn.values()) / 2), rel=1e-12)
    assert value.delta == pytest.approx(value.ours - 51.1, rel=1e-12)
    assert value.seeds == 3
    assert value.ours_text == "50.2 ± 1.2"
    assert value.delta_text == "−0.9"


def test_one_seed_has_no_spread_and_no_verdict(plan: Plan) -> None:
    layout = seeds(plan.table("table7"), 1)
    table = build_table("paper", layout, {cell.id: record(cell, 51.1) for cell in layout.cells})
    value = entry_of(layout, table.entries, 6, 2).values[0]
    assert value.spread is None
    assert value.ours_text == "51.1"
    assert value.verdict.word == "undecided"


@pytest.mark.parametrize(
    ("ours", "spread", "word"), [(50.0, 0.6, "reproduced"), (50.0, 0.5, "off"), (52.2, 0.56, "reproduced")]
)
def test_verdict_is_two_standard_deviations(plan: Plan, ours: float, spread: float, word: str) -> None:
    cell = plan.table("table7").cells[0]
    assert judge(cell, paper=51.1, ours=ours, spread=spread, stand_in=None).word == word


def test_other_data_network_or_features_are_never_held_against_the_paper(plan: Plan) -> None:
    cell = plan.table("table8").cells[0]
    demo = load_plan(REPOSITORY / "params", "demo").table("table8").cells[0]
    fair = judge(cell, paper=60.0, ours=60.0, spread=1.0, stand_in=None)
    assert fair.word == "reproduced"
    for other, stand_in, why in (
        (demo, None, "synthrooms"),
        (cell, "features of something else", "features of something else"),
        (Cell.model_validate({**cell.model_dump(), "network": demo.network}), None, "another network"),
    ):
        verdict = judge(other, paper=60.0, ours=60.0, spread=1.0, stand_in=stand_in)
        assert verdict.word == "not comparable"
        assert why in verdict.why


def test_state_is_the_worst_of_the_seeds_and_names_the_seed(plan: Plan) -> None:
    layout = seeds(plan.table("table7"), 1, 2)

    def stands(cell: Cell) -> CellRecord:
        if cell.seed == 2 and cell.l1 == "all":
            return record(cell, None, "failed", "non-finite loss at step 7")
        return record(cell, 40.0)

    table = build_table("paper", layout, {cell.id: stands(cell) for cell in layout.cells})
    failed = entry_of(layout, table.entries, 7, 0)
    assert (failed.state, failed.reason) == ("failed", "seed 2: non-finite loss at step 7")
    assert failed.values[0].ours == 40.0, "the other seed's number is still shown"
    assert failed.values[0].seeds == 1
    assert entry_of(layout, table.entries, 0, 0).state == "ok"
    assert table.states == {"failed": 12, "ok": 21}


def test_missing_has_no_number_and_no_verdict(plan: Plan) -> None:
    layout = plan.table("table7")
    table = build_table("paper", layout, {c.id: record(c, None, "missing", "not run yet") for c in layout.cells})
    for entry in table.entries:
        assert entry.state == "missing"
        assert entry.values[0].ours_text == ""
        assert entry.values[0].verdict.word == "none"
        assert not entry.values[0].best
    assert table.orderings == ()


@pytest.mark.parametrize(("name", "better"), [("table7", max), ("table8", min)])
def test_best_of_column_follows_the_metrics_direction_within_a_group(plan: Plan, name: str, better: type[max]) -> None:
    layout = plan.table(name)
    numbers = {cell.id: 10.0 + place for place, cell in enumerate(layout.cells)}
    table = build_table("paper", layout, {cell.id: record(cell, numbers[cell.id]) for cell in layout.cells})
    for entry in table.entries:
        group = layout.rows[entry.row].group
        column = [e for e in table.entries if e.column == entry.column and layout.rows[e.row].group == group]
        expected = entry.values[0].ours == better(e.values[0].ours for e in column)
        assert entry.values[0].best == expected


def test_orderings_count_pairs_by_brute_force(plan: Plan) -> None:
    layout = seeds(plan.table("table7"), 1)
    ours = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.3, 5.8, 9.7, 9.3, 2.3]
    numbers = dict(zip((cell.id for cell in layout.cells), ours, strict=True))
    table = build_table("paper", layout, {cell.id: record(cell, numbers[cell.id]) for cell in layout.cells})
    paper = [slot.paper["miou_pct"] for slot in layout.slots if slot.column == 2]
    agree = pairs = 0
    for i in range(11):
        for j in range(i):
            if paper[i] != paper[j]:
                pairs += 1
                agree += (paper[i] > paper[j]) == (ours[i] > ours[j])
    found = {ordering.where: ordering for ordering in table.orderings}
    assert (found["Ensemble"].agree, found["Ensemble"].pairs) == (agree, pairs)


def test_tables_of_several_networks_a_row_are_compared_along_the_row(plan: Plan) -> None:
    layout = plan.table("table8")
    table = build_table("paper", layout, {cell.id: record(cell, 1.0) for cell in layout.cells})
    first = table.orderings[0]
    assert first.where == "Shade+Texture to RGB / Shade"
    assert first.pairs == 6, "four columns"
    assert first.agree == 0, "equal numbers agree with no order"
