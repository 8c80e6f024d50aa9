"""The plan can be filtered, costed and printed; a filter that matches nothing lists what exists."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from cenbench.errors import UserError
from cenbench.matrix.cost import cell_seconds, plan_cost
from cenbench.matrix.cost_lines import cost_lines, two_digits
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.preset import CostModel
from cenbench.matrix.steps import total_steps
from cenbench.report.terminal_plan import duration, render_plan

PARAMS = Path(__file__).parents[1] / "params"


METHODS = "uni-modal, concat, average, align, self-att, exchange, none"


@pytest.fixture(scope="module")
def demo() -> Plan:
    return load_plan(PARAMS, "demo")


@pytest.fixture(scope="module")
def sharing(demo: Plan) -> Plan:
    """Tables 7 to 9."""
    return demo.select(tables=["table7", "table8", "table9"])


def test_no_filter_is_the_whole_plan(demo: Plan) -> None:
    assert demo.select() == demo


def test_by_table(demo: Plan) -> None:
    nine = demo.select(tables=["table9"])
    assert [table.name for table in nine.tables] == ["table9"]
    assert list(nine.cells) == [cell.id for cell in demo.cells_of("table9")]
    assert all(nine.tables_of(cell_id) == ("table9",) for cell_id in nine.cells)
    assert len(demo.select(tables=["table8", "table9"]).cells) == 16


def test_by_task_method_and_glob(sharing: Plan) -> None:
    assert len(sharing.select(task="shade + texture->rgb").cells) == 4
    assert len(sharing.select(method="exchange").cells) == 4 + 3
    assert len(sharing.select(glob="*.l1-half.*").cells) == 4 + 3
    chosen = sharing.select(tables=["table8"], task="shade+texture->rgb", method="none", glob="*.shared-norms.*")
    assert [(cell.convs, cell.norms) for cell in chosen.cells.values()] == [("shared", "shared")]


def test_by_fusion_method(demo: Plan) -> None:
    """Table 2 has two settings of a method at four stages, tables 4 and 6 have five tasks."""
    demo = demo.select(tables=[table.name for table in demo.tables])
    for method in ("concat", "average", "align", "self-att"):
        assert len(demo.select(method=method).cells) == 2 * 4 + 5 * 4
    assert len(demo.select(method="uni-modal").cells) == 2 + 2  # of table 2, and of table-boundaries
    # Depth+normal to RGB, table 6's three tasks; two with lambda 0 among the controls.
    assert len(demo.select(method="exchange").cells) == (4 + 3) + 4 + 2
    assert len(demo.select(method="random-mask").cells) == 2 * 2
    assert len(demo.select(tables=["table4"], method="exchange").cells) == 2
    assert {cell.stage for cell in demo.select(method="concat", glob="*.concat-middle*").cells.values()} == {"middle"}


def test_a_filtered_plan_has_exactly_the_cells_that_pass(demo: Plan) -> None:
    """Oracle: the same condition, applied to the cells one by one."""
    chosen = demo.select(method="exchange", glob="*rgb+depth*")
    expected = [i for i, cell in demo.cells.items() if cell.fusion == "exchange" and "rgb+depth" in i]
    assert list(chosen.cells) == expected
    for table in chosen.tables:
        whole = demo.table(table.name)
        assert (table.rows, table.columns) == (whole.rows, whole.columns)  # places keep their meaning
        assert list(table.slots) == [slot for slot in whole.slots if slot.cells[0].id in expected]


def test_a_glob_on_seeds_removes_seeds_from_slots() -> None:
    whole = load_plan(PARAMS, "paper")
    paper = whole.select(tables=[table.name for table in whole.tables])  # pictures of figures are of one seed
    one = paper.select(glob="*.s2.*")
    assert len(paper.cells) == 3 * len(one.cells)
    assert all(cell.seed == 2 for cell in one.cells.values())
    assert len(one.select(tables=["table7", "table8", "table9"]).cells) == 27
    assert all([cell.seed for cell in slot.cells] == [2] for table in one.tables for slot in table.slots)


@pytest.mark.parametrize(
    ("filters", "message", "expected", "fix"),
    [
        ({"tables": ["tabel7"]}, "has no table 'tabel7'", "table7, table8, table9", "did you mean 'table7'?"),
        ({"tables": ["7"]}, "has no table '7'", "table7, table8, table9", None),
        (
            {"task": "shade+textur->rgb"},
            "has no task 'shade\\+textur->rgb'",
            "rgb+depth->semantic, shade+texture->rgb",
            None,
        ),
        ({"task": "nonsense"}, "has no task 'nonsense'", "rgb+depth->semantic", None),
        ({"method": "exchang"}, "has no method 'exchang'", METHODS, "did you mean 'exchange'?"),
        ({"method": ""}, "has no method ''", METHODS, None),
        ({"glob": "*nothing*"}, "no cell of the plan passes all of these filters", None, "cenbench plan --preset demo"),
        ({"tables": ["table9"], "method": "exchange"}, "no cell of the plan passes all of these filters", None, None),
        (
            {"tables": ["table7"], "task": "shade+texture->rgb"},
            "no cell of the plan passes all of these filters",
            None,
            None,
        ),
    ],
)
def test_an_unknown_filter_lists_the_known_values(
    demo: Plan, filters: dict[str, object], message: str, expected: str | None, fix: str | None
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        demo.select(**filters)  # type: ignore[arg-type]
    assert expected is None or expected in str(caught.value.expected)
    assert fix is None or fix in str(caught.value.fix)


def test_an_unknown_cell_or_table_is_reported(demo: Plan) -> None:
    known = next(iter(demo.cells))
    with pytest.raises(UserError, match="has no cell") as caught:
        demo.cell(f"{known}0")
    assert known in str(caught.value.fix)
    with pytest.raises(UserError, match=r"has no cell '\.\./\.\./x'"):
        demo.tables_of("../../x")
    with pytest.raises(UserError, match="has no table 'table1'"):
        demo.cells_of("table1")
    assert demo.cell(known).id == known


def test_cost_is_steps_times_seconds(demo: Plan, sharing: Plan) -> None:
    """Closed form, on round numbers of seconds."""
    step_s = {"segmentation": {"fixed": 1.0, "per_modality": 2.0}, "translation": {"fixed": 0.0, "per_modality": 1.0}}
    model = CostModel.model_validate(
        {"hardware": "x", "unit": "CPU", "workers": 2, "scene_s": 3.0, "cell_s": 10.0, "step_s": step_s}
    )
    plan = Plan("demo", "", sharing.tables, model)
    by_modalities = {2: 4, 3: 4 + 2, 4: 4 + 2}  # translation cells of tables 8 and 9
    segmentation = next(cell for cell in plan.cells.values() if cell.task.kind == "segmentation")
    translation = next(cell for cell in plan.cells.values() if cell.task.kind == "translation")
    one_segmentation = 10 + total_steps(segmentation) * (1 + 2 * 2)
    one_translation = {m: 10 + total_steps(translation) * m for m in by_modalities}
    assert cell_seconds(segmentation, model) == one_segmentation
    cost = plan_cost(plan)
    assert cost.datasets_s == 260 * 3.0  # one dataset, read by both kinds
    assert cost.cells_s == 11 * one_segmentation + sum(n * one_translation[m] for m, n in by_modalities.items())
    assert cost.longest_s == 260 * 3.0 / 2 + max(one_segmentation, one_translation[4])
    assert cost.elapsed_s == (cost.datasets_s + cost.cells_s) / 2
    assert cost.total_h == (cost.datasets_s + cost.cells_s) / 3600
    alone = plan_cost(plan.select(glob=segmentation.id))
    assert alone.elapsed_s == alone.longest_s == 390 + one_segmentation
    one_modality = next(iter(demo.select(method="uni-modal").cells.values()))
    assert cell_seconds(one_modality, model) == 10 + total_steps(one_modality) * (1 + 2 * 1)
    everything = plan_cost(Plan("demo", "", demo.tables, model, demo.figures))
    assert everything.cells_s == sum(cell_seconds(cell, model) for cell in demo.cells.values())


def test_the_printed_plan_names_every_cell_its_tables_and_the_totals(demo: Plan) -> None:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render_plan(demo))
    text = capture.get()
    for cell_id, cell in demo.cells.items():
        line = next(line for line in text.splitlines() if cell_id in line)
        figures = demo.figures_of(cell_id)
        words = [*demo.tables_of(cell_id), *(figures if len(figures) < 2 else [f"{len(figures)} figures"])]
        assert ", ".join(words) in line
        assert f" {cell.fusion} " in line
        assert f"{total_steps(cell):,}" in line
    shared = sum(len(demo.shown_in(cell_id)) > 1 for cell_id in demo.cells)
    assert f"{len(demo.cells)} cells, {shared} of them shown by more than one table or figure." in text
    assert f"Total {two_digits(plan_cost(demo).total_h)} CPU-hours" in text
    assert f"Longest path (dataset, then the longest cell): {duration(plan_cost(demo).longest_s)}" in text


def test_a_measured_price_and_shared_gpus(sharing: Plan) -> None:
    """Closed form: cells that share a GPU in fours cost a quarter of its hours; the longest path does not change."""
    model = sharing.cost.model_copy(update={"cells_per_gpu": {"translation": 4}, "measured_on": date(2026, 11, 27)})
    plan = replace(sharing, cost=model)
    seconds = dict.fromkeys(("segmentation", "translation"), 0.0)
    for cell in plan.cells.values():
        seconds[cell.task.kind] += cell_seconds(cell, model)
    alone, shared = plan_cost(sharing), plan_cost(plan)
    assert shared.hours_s == pytest.approx(alone.datasets_s + seconds["segmentation"] + seconds["translation"] / 4)
    assert (shared.elapsed_s, shared.longest_s) == (alone.elapsed_s, alone.longest_s)
    lines = cost_lines(shared, plan.priced(2.5).cost)
    assert f", {two_digits(2.5 * shared.total_h)} USD at 2.50 per hour; " in lines[0]
    assert f"measured on 2026-11-27, {model.hardware}" in lines[2]
    assert "USD" not in cost_lines(shared, model)[0]


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_reported(demo: Plan, price: float) -> None:
    with pytest.raises(UserError, match="not a price per hour") as caught:
        demo.priced(price)
    assert caught.value.key == "--price"


@pytest.mark.parametrize(
    ("value", "text"),
    [(2790.76, "2,800"), (99.6, "100"), (9.96, "10"), (1.04, "1.0"), (0.0312, "0.031"), (0.00099, "0.00099"), (0, "0")],
)
def test_costs_are_rounded_to_two_digits(value: float, text: str) -> None:
    assert two_digits(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3599, "1.0 h"),
        (90, "2 min"),
        (7200, "2.0 h"),
        (864000, "10.0 d"),
    ],
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text
