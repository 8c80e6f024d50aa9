"""What a run would still do, and what that would cost: the last lines of a dry run. Torch-free."""

from __future__ import annotations

from collections.abc import Collection

from cenbench.data.prepared import dataset_key
from cenbench.matrix.cost import PlanCost, StepTimes, plan_cost, plan_datasets
from cenbench.matrix.cost_lines import cost_lines
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import DatasetSpec
from cenbench.run.paths import Paths
from cenbench.run.step_times import read_step_times


def remaining_cost(plan: Plan, paths: Paths, waiting: Collection[str], measured: StepTimes | None) -> PlanCost:
    """The cost of the cells whose ids are `waiting`, and of the datasets they read that are not prepared yet."""
    prepared = [each for each in plan_datasets(plan) if _is_prepared(each, paths)]
    return plan_cost(plan, measured, only=waiting, prepared=prepared)


def remaining_lines(plan: Plan, paths: Paths, waiting: Collection[str]) -> list[str]:
    """What would be submitted, and its cost. Seconds come from every finished cell of the plan."""
    datasets = {plan.cell(cell_id).dataset for cell_id in waiting}
    absent = sum(not _is_prepared(each, paths) for each in datasets)
    before = f", and {absent} dataset{'s' if absent > 1 else ''} prepared first" if absent else ""
    first = f"{len(waiting)} of {len(plan.cells)} cells of preset {plan.preset} would be submitted{before}."
    measured = read_step_times(plan, paths)
    return [first, *cost_lines(remaining_cost(plan, paths, waiting, measured), plan.cost, measured)]


def _is_prepared(dataset: DatasetSpec, paths: Paths) -> bool:
    return (paths.data / dataset_key(dataset) / "manifest.json").exists()
