"""How long finished cells took, from their provenance.json: what a plan's cost is better reckoned from. Torch-free."""

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
class _Measured:
    cell: Cell
    device: str
    device_type: str
    step_s: float
    overhead_s: float


def read_step_times(plan: Plan, paths: Paths) -> StepTimes | None:
    """Medians over the plan's finished cells; None where none has times.

    Cells of different devices are not mixed: the device most of them ran on counts. A cell that went on from a saved
    state counts the steps of its last run only, one whose weights were there already counts not at all.
    """
    found = [each for cell in plan.cells.values() if (each := _read(cell, paths)) is not None]
    if not found:
        return None
    device, count = Counter(each.device for each in found).most_common(1)[0]
    found = [each for each in found if each.device == device]
    modelled = [each for each in found if modelled_step_s(each.cell, plan.cost) > 0]
    kinds = {each.cell.task.kind for each in modelled}
    return StepTimes(
        device=device,
        unit="GPU" if found[0].device_type == "cuda" else "CPU",
        cells=count,
        step_s=_medians(found, lambda each: step_work(each.cell), lambda each: each.step_s),
        model_ratio=_medians(modelled, _kind, lambda each: each.step_s / modelled_step_s(each.cell, plan.cost)),
        overhead_s=_medians([each for each in found if _kind(each) in kinds], _kind, lambda each: each.overhead_s),
    )


def _kind(measured: _Measured) -> str:
    return measured.cell.task.kind


def _medians(
    found: list[_Measured], key: Callable[[_Measured], str], value: Callable[[_Measured], float]
) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for each in found:
        values.setdefault(key(each), []).append(value(each))
    return {name: median(several) for name, several in values.items()}


def _read(cell: Cell, paths: Paths) -> _Measured | None:
    """What one cell's provenance tells; None where there is none, it is damaged, or nothing was trained."""
    path = paths.provenance(cell)
    try:
        document: dict[str, Any] = read_json(path)
        steps, train_s = int(document["trained_steps"]), float(document["train_s"])
        overhead_s = float(document["wall_s"]) - train_s
        if steps < 1:
            return None
        return _Measured(cell, document["device"], document["device_type"], train_s / steps, max(0.0, overhead_s))
    except (OSError, UserError, KeyError, TypeError, ValueError):
        return None
