"""The work that is left and its cost, for the end of a dry run and for the status. Torch-free."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cenbench.data.manifest import is_prepared
from cenbench.matrix.cost import PlanCost, StepTimes, cell_seconds, plan_cost
from cenbench.matrix.cost_lines import cost_lines, duration, two_digits
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import DatasetSpec, dataset_key
from cenbench.paths import Paths
from cenbench.schedule.status import FINISHED, CellStatus
from cenbench.schedule.step_times import read_step_times


def remaining_cost(plan: Plan, paths: Paths, waiting: Collection[str], measured: StepTimes | None) -> PlanCost:
    """The cost of the cells with the ids `waiting`, and of the datasets they read that are not prepared yet."""
    prepared = [dataset for dataset in plan.datasets if _is_prepared(dataset, paths)]
    return plan_cost(plan, measured, only=waiting, prepared=prepared)


def remaining_lines(plan: Plan, paths: Paths, waiting: Collection[str]) -> list[str]:
    """What would be submitted, and its cost. The seconds are measured on every finished cell of the plan."""
    datasets = {plan.cell(cell_id).dataset for cell_id in waiting}
    absent = sum(not _is_prepared(dataset, paths) for dataset in datasets)
    before = f", and {absent} dataset{'s' if absent > 1 else ''} prepared first" if absent else ""
    first = f"{len(waiting)} of {len(plan.cells)} cells of preset {plan.preset} would be submitted{before}."
    measured = read_step_times(plan, paths)
    return [first, *cost_lines(remaining_cost(plan, paths, waiting, measured), plan.cost, measured)]


def left_words(plan: Plan, paths: Paths, cells: Sequence[CellStatus]) -> str:
    """The work that is left, in words: hours, and how long they take with as many cells at a time as run now."""
    running = [cell for cell in cells if cell.state == "running"]
    waiting = [cell.cell_id for cell in cells if cell.state not in ("running", *FINISHED)]
    measured = read_step_times(plan, paths)
    left_s = sum(_running_left_s(plan, cell, measured) for cell in running)
    left_s += 3600 * remaining_cost(plan, paths, waiting, measured).total_h
    if not left_s:
        return ""
    work = f"{two_digits(left_s / 3600)} {measured.unit if measured else plan.cost.unit}-hours left"
    return f"{work}, about {duration(left_s / len(running))} with {len(running)} at a time." if running else f"{work}."


def _running_left_s(plan: Plan, cell: CellStatus, measured: StepTimes | None) -> float:
    """What the running cell itself reports, otherwise what a cell like it takes in total."""
    if cell.left_s is not None or (cell.beat and cell.beat.phase in ("evaluating", "publishing")):
        return cell.left_s or 0.0
    return cell_seconds(plan.cell(cell.cell_id), plan.cost, measured)


def _is_prepared(dataset: DatasetSpec, paths: Paths) -> bool:
    return is_prepared(paths.data / dataset_key(dataset))
