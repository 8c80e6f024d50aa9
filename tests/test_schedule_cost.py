"""A plan's cost is estimated from the times of finished cells; a dry run ends with what it would submit and cost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from checkout import REPOSITORY, Checkout

from cenbench.files import write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.cost import cell_seconds, modelled_step_s, plan_cost, step_work
from cenbench.matrix.cost_lines import cost_lines, two_digits
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.steps import total_steps
from cenbench.paths import Paths
from cenbench.schedule.remaining_cost import remaining_lines
from cenbench.schedule.step_times import read_step_times

GPU = {"device": "NVIDIA H100", "device_type": "cuda"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three seeds per cell."""
    return load_plan(REPOSITORY / "params", "paper").select(tables=["table7", "table8"])


def finish(paths: Paths, cell: Cell, *, train_s: float, wall_s: float, steps: int | None = None, **more: Any) -> None:
    """Write the provenance of a finished cell whose last run took `steps`, by default all of them."""
    taken = total_steps(cell) if steps is None else steps
    times = {"train_s": train_s, "wall_s": wall_s, "steps": total_steps(cell), "trained_steps": taken}
    write_json(paths.cell(cell) / "provenance.json", {"cell_id": cell.id, **GPU, **times, **more})


def of_kind(plan: Plan, kind: str) -> list[Cell]:
    return [cell for cell in plan.cells.values() if cell.task.kind == kind]


def test_without_finished_cells_the_cost_is_the_models_estimate(plan: Plan, tmp_path: Path) -> None:
    assert read_step_times(plan, Paths(tmp_path)) is None
    assert "Seconds per step: estimate, " in cost_lines(plan_cost(plan), plan.cost)[-1]


def test_a_cell_costs_what_its_other_seeds_took(plan: Plan, tmp_path: Path) -> None:
    """Seeds 1 and 2 took 2 and 4 seconds per step, and 100 and 300 seconds besides: seed 3 gets the medians."""
    paths, cells = Paths(tmp_path), of_kind(plan, "segmentation")
    first, second, third = (cell for cell in cells if step_work(cell) == step_work(cells[0]))
    steps = total_steps(first)
    finish(paths, first, train_s=2.0 * steps, wall_s=2.0 * steps + 100)
    finish(paths, second, train_s=4.0 * steps, wall_s=4.0 * steps + 300)
    measured = read_step_times(plan, paths)
    assert measured is not None
    assert cell_seconds(third, plan.cost, measured) == pytest.approx(3.0 * steps + 200)


def test_a_cell_unlike_any_finished_one_is_scaled_like_its_kind_of_task(plan: Plan, tmp_path: Path) -> None:
    """One translation cell took twice the model's seconds, so every other one is estimated at twice the model's."""
    paths, cells = Paths(tmp_path), of_kind(plan, "translation")
    done, other = cells[0], next(cell for cell in cells if len(cell.task.inputs) != len(cells[0].task.inputs))
    train_s = 2 * modelled_step_s(done, plan.cost) * total_steps(done)
    finish(paths, done, train_s=train_s, wall_s=train_s + 50)
    measured = read_step_times(plan, paths)
    assert measured is not None
    expected = 2 * modelled_step_s(other, plan.cost) * total_steps(other) + 50
    assert cell_seconds(other, plan.cost, measured) == pytest.approx(expected)
    segmentation = of_kind(plan, "segmentation")[0]
    assert cell_seconds(segmentation, plan.cost, measured) == cell_seconds(segmentation, plan.cost)
    said = cost_lines(plan_cost(plan, measured), plan.cost, measured)
    assert "measured on NVIDIA H100 from 1 finished cell; segmentation cells: estimate" in said[-1]
    assert "GPU-hours" in said[0]


def test_only_the_steps_of_the_last_run_count(plan: Plan, tmp_path: Path) -> None:
    """A resumed cell is divided by the steps of its last run; a cell that was only evaluated again does not count."""
    paths = Paths(tmp_path)
    continued, again, damaged = of_kind(plan, "segmentation")[:3]
    finish(paths, continued, train_s=10.0, wall_s=10.0, steps=5)
    finish(paths, again, train_s=0.01, wall_s=10.0, steps=0)
    (paths.cell(damaged)).mkdir(parents=True)
    (paths.cell(damaged) / "provenance.json").write_text("{")
    measured = read_step_times(plan, paths)
    assert measured is not None
    assert (measured.cells, measured.step_s) == (1, {step_work(continued): 2.0})


def test_devices_are_not_mixed(plan: Plan, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    cells = of_kind(plan, "segmentation")[:3]
    finish(paths, cells[0], train_s=1e6, wall_s=1e6, device="a laptop", device_type="cpu")
    for cell in cells[1:]:
        finish(paths, cell, train_s=1.0, wall_s=1.0)
    measured = read_step_times(plan, paths)
    assert measured is not None
    assert (measured.device, measured.unit, measured.cells) == ("NVIDIA H100", "GPU", 2)


def test_only_waiting_cells_are_counted(plan: Plan, tmp_path: Path) -> None:
    """Closed form: two cells and the one dataset they read."""
    one, two = of_kind(plan, "translation")[:2]
    model = plan.cost
    scenes_s = model.scene_s * (one.dataset.train_scenes + one.dataset.val_scenes)
    cost = plan_cost(plan, only={one.id, two.id})
    cells_s = [cell_seconds(cell, model) for cell in (one, two)]
    assert cost.total_h == pytest.approx((sum(cells_s) + scenes_s) / 3600)
    assert cost.longest_s == pytest.approx(max(cells_s) + scenes_s / model.workers)
    assert plan_cost(plan, only={one.id}, prepared=[one.dataset]).total_h == pytest.approx(cells_s[0] / 3600)
    assert plan_cost(plan, only=()).total_h == 0
    said = remaining_lines(plan, Paths(tmp_path), {one.id, two.id})
    assert said[0] == f"2 of {len(plan.cells)} cells of preset paper would be submitted, and 1 dataset prepared first."
    assert f"Total {two_digits(cost.total_h)} GPU-hours" in said[1]


def test_a_dry_run_ends_with_what_it_would_submit(finished: Checkout) -> None:
    finished.edit("params/table7.yaml", "{convs: unshared, l1: none", "{convs: shared, l1: none")
    output = finished.snakemake("-n", "all_tables", "--quiet", "all")
    assert "1 of 3 cells of preset demo would be submitted." in output
    assert re.search(r"Total 0\.\d+ CPU-hours; about \d+ s with 2 cells at a time", output)
    assert re.search(r"Longest path \(dataset, then the longest cell\): \d+ s", output)
    assert re.search(r"Seconds per step: measured on .+ from 2 finished cells\.?$", output, re.MULTILINE)
    assert finished.run("python", "-m", "cenbench", "plan").count("measured on") == 1
    assert "would be submitted" not in finished.snakemake("-n", "table8"), "its only cell is finished"
