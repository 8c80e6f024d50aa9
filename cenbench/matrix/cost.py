"""What a plan would cost before anything runs: steps times the preset's measured seconds. An estimate, no promise."""

from __future__ import annotations

from dataclasses import dataclass

from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.matrix.preset import CostModel
from cenbench.matrix.specs import DatasetSpec
from cenbench.matrix.steps import total_steps


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

    @property
    def total_h(self) -> float:
        return (self.datasets_s + self.cells_s) / 3600


def cell_seconds(cell: Cell, model: CostModel) -> float:
    """Seconds one cell takes on the model's hardware: start and evaluation, and its steps."""
    step = model.step_s[cell.task.kind]
    return model.cell_s + total_steps(cell) * (step.fixed + step.per_modality * len(cell.task.inputs))


def dataset_seconds(dataset: DatasetSpec, model: CostModel) -> float:
    """Seconds one worker takes to prepare the dataset."""
    return model.scene_s * (dataset.train_scenes + dataset.val_scenes)


def plan_cost(plan: Plan) -> PlanCost:
    """The cost of the whole plan, each cell and each dataset counted once."""
    model, cells = plan.cost, plan.cells.values()
    datasets_s = sum(dataset_seconds(dataset, model) for dataset in {cell.dataset for cell in cells})
    cells_s = sum(cell_seconds(cell, model) for cell in cells)
    longest_s = max(dataset_seconds(cell.dataset, model) / model.workers + cell_seconds(cell, model) for cell in cells)
    return PlanCost(datasets_s, cells_s, longest_s, max(longest_s, (datasets_s + cells_s) / model.workers))
