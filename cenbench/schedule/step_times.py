"""How long finished cells took, from their provenance.json: better estimates of a plan's cost. Torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from cenbench.errors import UserError
from cenbench.files import read_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.cost import StepTimes, modelled_step_s, step_work
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths


@dataclass(frozen=True)
class _CellTimes:
    cell: Cell
    device: str
    device_type: str
    step_s: float
    overhead_s: float


def read_step_times(plan: Plan, paths: Paths) -> StepTimes | None:
    """Medians over the plan's finished cells; None if no cell has times.

    Only cells of the most common device count. A cell that resumed counts the steps of its last run only; a cell whose
    weights already existed does not count.
    """
    found = [times for cell in plan.cells.values() if (times := _read(cell, paths)) is not None]
    if not found:
        return None
    device, count = Counter(times.device for times in found).most_common(1)[0]
    found = [times for times in found if times.device == device]
    modelled = [times for times in found if modelled_step_s(times.cell, plan.cost) > 0]
    kinds = {_kind(times) for times in modelled}
    return StepTimes(
        device=device,
        unit="GPU" if found[0].device_type == "cuda" else "CPU",
        cells=count,
        step_s=_medians(found, lambda times: step_work(times.cell), lambda times: times.step_s),
        model_ratio=_medians(modelled, _kind, lambda times: times.step_s / modelled_step_s(times.cell, plan.cost)),
        overhead_s=_medians([times for times in found if _kind(times) in kinds], _kind, lambda times: times.overhead_s),
    )


def _kind(times: _CellTimes) -> str:
    return times.cell.task.kind


def _medians(
    found: list[_CellTimes], key: Callable[[_CellTimes], str], value: Callable[[_CellTimes], float]
) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for times in found:
        values.setdefault(key(times), []).append(value(times))
    return {name: median(several) for name, several in values.items()}


def _read(cell: Cell, paths: Paths) -> _CellTimes | None:
    """The times of one cell; None if its provenance is missing or damaged, or nothing was trained."""
    path = paths.provenance(cell)
    try:
        document: dict[str, Any] = read_json(path)
        steps, train_s = int(document["trained_steps"]), float(document["train_s"])
        overhead_s = float(document["wall_s"]) - train_s
        if steps < 1:
            return None
        return _CellTimes(cell, document["device"], document["device_type"], train_s / steps, max(0.0, overhead_s))
    except (OSError, UserError, KeyError, TypeError, ValueError):
        return None
