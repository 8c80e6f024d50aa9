"""How long finished cells took, from their provenance.json: better estimates of a plan's cost. Torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cenbench.errors import UserError
from cenbench.files import read_json_object
from cenbench.matrix.cell import Cell
from cenbench.matrix.cost import StepTimes, modelled_step_s, step_work
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths

_Seconds = Annotated[float, Field(ge=0, le=1e10)]


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


class _Provenance(BaseModel):
    """What is read of provenance.json."""

    model_config = ConfigDict(strict=True)
    cell_id: str
    trained_steps: Annotated[int, Field(ge=1, le=10**15)]
    train_s: _Seconds
    wall_s: _Seconds
    device: str
    device_type: str


def _read(cell: Cell, paths: Paths) -> _CellTimes | None:
    """The times of one cell; None if its provenance is missing, damaged or another cell's, or nothing was trained."""
    try:
        found = _Provenance.model_validate(read_json_object(paths.provenance(cell)))
    except (UserError, ValidationError):
        return None
    if found.cell_id != cell.id:
        return None
    step_s, overhead_s = found.train_s / found.trained_steps, max(0.0, found.wall_s - found.train_s)
    return _CellTimes(cell, found.device, found.device_type, step_s, overhead_s)
