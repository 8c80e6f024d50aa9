"""The table object: means, spreads, deltas, states, verdicts and the best numbers, from records."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from checkout import REPOSITORY

from cenbench.matrix.cell import Cell
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.plan import Plan, load_plan
from cenbench.records.read import CellRecord, State
from cenbench.report.table import build_table
from cenbench.report.value import FilledSlot, heading
from cenbench.report.verdict import Verdict


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(REPOSITORY / "params", "paper")


@pytest.fixture(scope="module")
def official() -> Plan:
    return load_plan(REPOSITORY / "params", "paper-official")


COSTS = ("params_m", "fusion_params_m", "gflops")
MEASURED = ("miou_pct", "pixel_acc_pct", "mean_acc_pct", "fid", "kid_x100", "mae_x10", "rmse_x10", "mse_x10")


def record(
    cell: Cell,
    value: float | None,
    state: State = "ok",
    reason: str | None = None,
    stand_in: Mapping[str, str] = {},
    parameters: Mapping[str, Any] = {},
) -> CellRecord:
    """A record in which every stream has `value` for every metric (None: no numbers), with these costs."""
    metrics = {} if value is None else {stream: dict.fromkeys(MEASURED, value) for stream in cell.streams}
    document = {"parameters": parameters} if parameters else {}
    return CellRecord(cell, state, reason, metrics, stand_in, Path("nowhere"), None, document=document)


def cost(place: int) -> dict[str, Any]:
    """Parameter counts and FLOPs that differ between networks."""
    total, fusion = 118_201_600 + 1_000_000 * place, 130_000 * place
    return {"total": total, "fusion": fusion, "flops": 23_456_000_000 + place, "ensemble_weights": {"rgb": 1.0}}


def seeds(layout: TableLayout, *numbers: int) -> TableLayout:
    """The layout with these seeds in every slot."""
    slots = (
        replace(
            slot, cells=tuple(Cell.model_validate({**slot.cells[0].model_dump(), "seed": seed}) for seed in numbers)
        )
        for slot in layout.slots
    )
    return replace(layout, slots=tuple(slots))


def entry_of(layout: TableLayout, entries: tuple[FilledSlot, ...], row: int, column: int) -> FilledSlot:
    return next(entry for entry in entries if (entry.row, entry.column) == (row, column))


def test_mean_spread_and_delta_over_seeds(official: Plan) -> None:
    layout = seeds(official.table("table7"), 1, 2, 3)
    drawn = {1: 50.0, 2: 51.5, 3: 49.2}
    records = {cell.id: record(cell, drawn[cell.seed]) for cell in layout.cells}
    table = build_table("paper-official", layout, records)
    value = entry_of(layout, table.entries, 6, 2).values[0]
    assert value.paper == 51.1
    assert value.ours == pytest.approx(statistics.mean(drawn.values()), rel=1e-12)
    assert value.spread == pytest.approx(math.sqrt(sum((x - value.ours) ** 2 for x in drawn.values()) / 2), rel=1e-12)
    assert value.delta == pytest.approx(value.ours - 51.1, rel=1e-12)
    assert value.seeds == 3
    assert value.ours_text == "50.2 ± 1.2"
    assert value.delta_text == "−0.9"
    incomparable = replace(value, verdict=Verdict("not comparable", "another instrument"))
    assert (incomparable.delta, incomparable.delta_text) == (None, "")


def test_state_is_the_worst_of_the_seeds_and_names_the_seed(plan: Plan) -> None:
    layout = seeds(plan.table("table7"), 1, 2)

    def stands(cell: Cell) -> CellRecord:
        if cell.seed == 2 and cell.l1 == "all":
            return record(cell, None, "failed", "non-finite loss at step 7")
        return record(cell, 40.0)

    table = build_table("paper", layout, {cell.id: stands(cell) for cell in layout.cells})
    failed = entry_of(layout, table.entries, 7, 0)
    assert (failed.state, failed.reason) == ("failed", "seed 2: non-finite loss at step 7")
    value = failed.values[0]
    assert (value.ours, value.spread, value.seeds, value.declared) == (None, None, 1, 2), "no mean of a part"
    assert value.ours_text == "1 of 2: 40.0 (seed 1), seed 2 missing"
    assert failed.state_text == "failed, 1 of 2 seeds ok"
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


@pytest.mark.parametrize(("name", "better", "along"), [("table7", max, "column"), ("table8", min, "row")])
def test_best_follows_the_metrics_direction_along_the_axis_the_table_ranks(
    plan: Plan, name: str, better: type[max], along: str
) -> None:
    """Table 7 ranks networks, which are its rows; table 8 ranks settings of one output, which are its columns."""
    layout = seeds(plan.table(name), 1)
    numbers = {cell.id: 10.0 + place for place, cell in enumerate(layout.cells)}
    table = build_table("paper", layout, {cell.id: record(cell, numbers[cell.id]) for cell in layout.cells})
    for entry in table.entries:
        rivals = [other for other in table.entries if getattr(other, along) == getattr(entry, along)]
        expected = entry.values[0].ours == better(other.values[0].ours for other in rivals)
        assert entry.values[0].best == expected


def test_numbers_that_are_shown_alike_are_all_best(plan: Plan) -> None:
    layout = seeds(plan.table("table7"), 1)
    drawn = dict(zip((cell.id for cell in layout.cells), [50.04, 49.96, 49.94, *[40.0] * 8], strict=True))
    table = build_table("paper", layout, {cell.id: record(cell, drawn[cell.id]) for cell in layout.cells})
    shown = {entry.row: entry.values[0] for entry in table.entries if entry.column == 2}
    assert [shown[row].ours_text for row in range(3)] == ["50.0", "50.0", "49.9"]
    assert [row for row, value in shown.items() if value.best] == [0, 1]


def test_a_number_that_is_not_finite_is_no_number_and_stops_nothing(plan: Plan) -> None:
    layout = seeds(plan.table("table7"), 1, 2)
    first = layout.cells[0].id
    records = {cell.id: record(cell, math.nan if cell.id == first else 40.0) for cell in layout.cells}
    value = build_table("paper", layout, records).entries[0].values[0]
    assert (value.ours, value.seeds, value.ours_text) == (None, 1, "1 of 2: 40.0 (seed 2), seed 1 missing")


def test_imported_weights_are_one_number_without_a_spread(official: Plan) -> None:
    layout = seeds(official.table("table7"), 1, 2, 3)
    records = {cell.id: replace(record(cell, 51.1), document={"origin": "imported"}) for cell in layout.cells}
    value = build_table("paper-official", layout, records).entries[0].values[0]
    assert (value.ours, value.spread, value.seeds, value.verdict.word) == (51.1, None, 0, "none")
    assert value.ours_text == "51.1 (imported)"
    assert "not trained here" in value.verdict.why
    one = layout.slots[0].cells[0].id
    mixed = build_table("paper-official", layout, records | {one: record(layout.slots[0].cells[0], 50.0)})
    assert mixed.entries[0].values[0].ours_text == (
        "1 of 3: 50.0 (seed 1), 51.1 (seed 2, imported), 51.1 (seed 3, imported)"
    )


def test_costs_are_shown_without_best_and_spread(plan: Plan) -> None:
    """Costs are counted, not measured: equal for every seed, and the leanest network is not the best one."""
    layout = seeds(plan.table("table2"), 1, 2, 3)
    row_of = {cell.id: slot.row for slot in layout.slots for cell in slot.cells}
    records = {
        cell.id: record(cell, 40.0 + row_of[cell.id] + cell.seed, parameters=cost(row_of[cell.id]))
        for cell in layout.cells
    }
    table = build_table("paper", layout, records)
    for row in range(len(layout.rows)):
        entry = entry_of(layout, table.entries, row, 3)
        assert [value.metric for value in entry.values] == list(COSTS)
        counted = cost(row)
        expected = [counted["total"] / 1e6, counted["fusion"] / 1e6, counted["flops"] / 1e9]
        assert [value.ours for value in entry.values] == pytest.approx(expected, rel=1e-12)
        for value in entry.values:
            assert (value.spread, value.best, value.paper, value.delta, value.seeds) == (None, False, None, None, 3)
            assert value.verdict.word == "none"
    assert [value.ours_text for value in entry_of(layout, table.entries, 3, 3).values] == ["121.20", "0.39", "23.46"]
    measured = [value for entry in table.entries if entry.column == 2 for value in entry.values]
    assert all(value.spread == 1.0 for value in measured), "what is measured still has its spread"
    assert sum(value.best for value in measured) == 2, "and a best in each group that has an ensemble"


def test_the_heading_of_a_cost_has_no_arrow() -> None:
    assert [heading(metric) for metric in COSTS] == ["Parameters (M)", "for fusion (M)", "GFLOP"]
    assert heading("miou_pct").endswith("\N{UPWARDS ARROW}")
    assert heading("mae_x10").endswith("\N{DOWNWARDS ARROW}")


def test_costs_that_were_not_counted_are_left_out(plan: Plan) -> None:
    """A cell that has not run has no costs; a record of an older version holds only the parameters."""
    layout = seeds(plan.table("table2"), 1)
    old = {"total": 2_500_000, "ensemble_weights": {"rgb": 0.5, "depth": 0.5}}
    records = {
        cell.id: record(cell, 40.0, "stale", "the training code changed since", {}, old) for cell in layout.cells
    }
    first = layout.cells[0]
    records[first.id] = record(first, None, "missing", "not run yet")
    table = build_table("paper", layout, records)
    assert [value.ours_text for value in entry_of(layout, table.entries, 0, 3).values] == ["", "", ""]
    assert [value.ours_text for value in entry_of(layout, table.entries, 1, 3).values] == ["2.50", "", ""]


def test_a_column_shows_its_own_metrics_and_other_columns_the_tables(plan: Plan) -> None:
    layout = plan.table("table2")
    records = {cell.id: record(cell, 1.0, parameters=cost(1)) for cell in layout.cells}
    for entry in build_table("paper", layout, records).entries:
        assert tuple(value.metric for value in entry.values) == (COSTS if entry.column == 3 else ("miou_pct",))
        assert all(value.ours is not None for value in entry.values)


def test_a_merged_network_shows_its_ensemble(plan: Plan) -> None:
    """A merged network has one stream; its outputs are that stream and the ensemble of it alone."""
    layout = seeds(plan.table("table2"), 1)
    merged = [slot for slot in layout.slots if slot.cells[0].merged and slot.column == 2]
    assert len(merged) == 12
    records = {cell.id: record(cell, 33.0) for cell in layout.cells}
    table = build_table("paper", layout, records)
    for slot in merged:
        assert set(records[slot.cells[0].id].metrics) == {"fused", "ensemble"}
        assert entry_of(layout, table.entries, slot.row, 2).values[0].ours == 33.0
