"""What a plan costs before it runs: steps times seconds a step. An estimate, no promise.

The seconds are measured where cells like it have finished, and the preset's own otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from cenbench.files import digest
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.matrix.preset import CostModel
from cenbench.matrix.specs import DatasetSpec
from cenbench.matrix.steps import total_steps


@dataclass(frozen=True)
class StepTimes:
    """Seconds measured in finished cells, all on one device."""

    device: str
    unit: Literal["CPU", "GPU"]
    cells: int
    step_s: Mapping[str, float]
    """`step_work(cell)` -> seconds a step, from cells that differ by their seed only."""
    model_ratio: Mapping[str, float]
    """task kind -> measured by modelled seconds a step, for cells that no finished one is like."""
    overhead_s: Mapping[str, float]
    """task kind -> seconds of a cell besides its steps."""


@dataclass(frozen=True)
class PlanCost:
    """Seconds of one worker, unless said otherwise."""

    datasets_s: float
    """Preparing every dataset the plan's cells read."""
    cells_s: float
    """Training and evaluating every cell, one after the other."""
    longest_s: float
    """The longest chain: a dataset, prepared by all workers, and then the longest cell that reads it."""
    elapsed_s: float
    """From start to end with all workers busy; never under the longest chain."""
    kinds: frozenset[str]
    """Kinds of task of the cells."""

    @property
    def total_h(self) -> float:
        return (self.datasets_s + self.cells_s) / 3600


def step_work(cell: Cell) -> str:
    """Equal for cells whose steps are the same work: all but their seeds and how they are measured."""
    return digest(cell.model_dump(mode="json", exclude={"seed", "evaluation"}))


def modelled_step_s(cell: Cell, model: CostModel) -> float:
    """Seconds the preset's model gives a step of the cell."""
    step = model.step_s[cell.task.kind]
    return step.fixed + step.per_modality * len(cell.task.inputs)


def cell_seconds(cell: Cell, model: CostModel, measured: StepTimes | None = None) -> float:
    """Seconds one cell takes: start and evaluation, and its steps; as measured where it was, else by the model."""
    kind, step_s = cell.task.kind, modelled_step_s(cell, model)
    if measured is None or kind not in measured.overhead_s:
        return model.cell_s + total_steps(cell) * step_s
    step_s = measured.step_s.get(step_work(cell), step_s * measured.model_ratio[kind])
    return measured.overhead_s[kind] + total_steps(cell) * step_s


def dataset_seconds(dataset: DatasetSpec, model: CostModel) -> float:
    """Seconds one worker takes to prepare the dataset."""
    return model.scene_s * (dataset.train_scenes + dataset.val_scenes)


def plan_cost(
    plan: Plan,
    measured: StepTimes | None = None,
    *,
    only: Collection[str] | None = None,
    prepared: Collection[DatasetSpec] = (),
) -> PlanCost:
    """The cost of the plan, each cell and each dataset counted once.

    With `only` the cost of the cells of these ids; datasets that are `prepared` cost nothing.
    """
    model = plan.cost
    cells = [cell for cell_id, cell in plan.cells.items() if only is None or cell_id in only]
    datasets = {cell.dataset for cell in cells}
    datasets_s = {each: 0.0 if each in prepared else dataset_seconds(each, model) for each in datasets}
    seconds = [(cell_seconds(cell, model, measured), datasets_s[cell.dataset] / model.workers) for cell in cells]
    cells_s, all_datasets_s = sum(cell_s for cell_s, _ in seconds), sum(datasets_s.values())
    longest_s = max((cell_s + before_s for cell_s, before_s in seconds), default=0.0)
    elapsed_s = max(longest_s, (all_datasets_s + cells_s) / model.workers)
    return PlanCost(all_datasets_s, cells_s, longest_s, elapsed_s, frozenset(cell.task.kind for cell in cells))


def plan_datasets(plan: Plan) -> list[DatasetSpec]:
    """The datasets the plan's cells read, each once."""
    return list(dict.fromkeys(cell.dataset for cell in plan.cells.values()))
