"""Estimated cost of a plan: steps times seconds per step.

Seconds are measured ones if similar cells have finished, and the preset's own otherwise.
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
    """`step_work(cell)` -> seconds per step, from cells that differ only in their seed."""
    model_ratio: Mapping[str, float]
    """Task kind -> measured over modelled seconds per step, for cells without a finished counterpart."""
    overhead_s: Mapping[str, float]
    """Task kind -> seconds per cell besides its steps."""


@dataclass(frozen=True)
class PlanCost:
    """Costs in seconds of one worker, unless stated otherwise."""

    datasets_s: float
    """Preparing all datasets of the plan's cells."""
    cells_s: float
    """Training and evaluating all cells, one after the other."""
    hours_s: float
    """What is charged: `datasets_s` and `cells_s`, with cells that share a GPU divided by their number."""
    longest_s: float
    """The longest path: a dataset, prepared by all workers, then a cell that reads it and what that one starts from."""
    elapsed_s: float
    """From start to end with all workers busy; at least the longest path."""
    kinds: frozenset[str]
    """Task kinds of the cells."""

    @property
    def total_h(self) -> float:
        return self.hours_s / 3600


def step_work(cell: Cell) -> str:
    """A digest that is equal for cells with the same work per step: all but seed and evaluation agree."""
    return digest(cell.model_dump(mode="json", exclude={"seed", "evaluation"}))


def modelled_step_s(cell: Cell, model: CostModel) -> float:
    """Seconds per step of the cell under the preset's cost model."""
    step = model.step_s[cell.task.kind]
    return step.fixed + step.per_modality * len(cell.task.inputs)


def cell_seconds(cell: Cell, model: CostModel, measured: StepTimes | None = None) -> float:
    """Seconds per cell: start, steps and evaluation. Measured ones if available, else from the model."""
    kind, step_s = cell.task.kind, modelled_step_s(cell, model)
    if measured is None or kind not in measured.overhead_s:
        return model.cell_s + total_steps(cell) * step_s
    step_s = measured.step_s.get(step_work(cell), step_s * measured.model_ratio[kind])
    return measured.overhead_s[kind] + total_steps(cell) * step_s


def evaluation_seconds(cell: Cell, model: CostModel, measured: StepTimes | None = None) -> float:
    """At most the seconds of one evaluation of the cell: all that it takes besides its training steps."""
    kind = cell.task.kind
    return model.cell_s if measured is None or kind not in measured.overhead_s else measured.overhead_s[kind]


def dataset_seconds(dataset: DatasetSpec, model: CostModel) -> float:
    """Seconds to prepare the dataset on one worker."""
    return model.scene_s * dataset.scenes


def plan_cost(
    plan: Plan,
    measured: StepTimes | None = None,
    *,
    only: Collection[str] | None = None,
    prepared: Collection[DatasetSpec] = (),
) -> PlanCost:
    """The cost of the plan, with each cell and each dataset counted once.

    `only` restricts it to the cells with these ids. Datasets in `prepared` cost nothing.
    """
    model = plan.cost
    cells = [cell for cell_id, cell in plan.cells.items() if only is None or cell_id in only]
    datasets = {cell.dataset for cell in cells}
    datasets_s = {dataset: 0.0 if dataset in prepared else dataset_seconds(dataset, model) for dataset in datasets}
    cell_s = {cell.id: cell_seconds(cell, model, measured) for cell in cells}
    before_s = {cell.id: cell_s.get(cell.pretraining.id, 0.0) if cell.pretraining else 0.0 for cell in cells}
    seconds = [(cell_s[cell.id], before_s[cell.id] + datasets_s[cell.dataset] / model.workers) for cell in cells]
    cells_s, all_datasets_s = sum(cell_s.values()), sum(datasets_s.values())
    longest_s = max((itself_s + waits_s for itself_s, waits_s in seconds), default=0.0)
    elapsed_s = max(longest_s, (all_datasets_s + cells_s) / model.workers)
    charged_s = sum(s / model.cells_per_gpu.get(cell.task.kind, 1) for cell, (s, _) in zip(cells, seconds, strict=True))
    kinds = frozenset(cell.task.kind for cell in cells)
    return PlanCost(all_datasets_s, cells_s, all_datasets_s + charged_s, longest_s, elapsed_s, kinds)
