"""The plan in a terminal: every cell, the tables and figures that show it, and what it would cost."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cenbench.matrix.cost import StepTimes, cell_seconds, dataset_seconds, plan_cost
from cenbench.matrix.cost_lines import cost_lines, duration
from cenbench.matrix.plan import Plan
from cenbench.matrix.steps import total_steps
from cenbench.report.terminal import add_row, borderless, literal


def render_plan(plan: Plan, measured: StepTimes | None = None) -> RenderableType:
    """One line per cell, then the totals and where the seconds come from."""
    return Group(_cells(plan, measured), Text(), *map(literal, _totals(plan, measured)))


def _cells(plan: Plan, measured: StepTimes | None) -> Table:
    table = borderless("cell", "method", "shown in", ">steps", ">time", title=f"{plan.preset}: {plan.description}")
    for cell_id, cell in plan.cells.items():
        steps, seconds = total_steps(cell), cell_seconds(cell, plan.cost, measured)
        shown_in = ", ".join([*plan.tables_of(cell_id), *_figures(plan.figures_of(cell_id))])
        add_row(table, cell_id, cell.fusion, shown_in, f"{steps:,}", duration(seconds))
    return table


def _figures(names: tuple[str, ...]) -> list[str]:
    """The figure, or how many there are: a line has no room for many names."""
    return list(names) if len(names) < 2 else [f"{len(names)} figures"]


def _totals(plan: Plan, measured: StepTimes | None) -> list[str]:
    shared = sum(len(plan.shown_in(cell_id)) > 1 for cell_id in plan.cells if cell_id not in plan.pretrainings)
    lines = [f"{len(plan.cells)} cells, {shared} of them shown by more than one table or figure."]
    if plan.pretrainings:
        count, starting = len(plan.pretrainings), len({cell for cells in plan.pretrainings.values() for cell in cells})
        lines.append(f"{count} of them pretrain{'s' if count == 1 else ''} the encoders of {starting} others.")
    for dataset in plan.datasets:
        size = "x".join(str(side) for side in dict.fromkeys(dataset.shape_px))
        scenes = dataset.scenes
        seconds = duration(dataset_seconds(dataset, plan.cost))
        lines.append(f"Dataset {dataset.name}, {size} px, {scenes:,} scenes: {seconds} on one worker.")
    return [*lines, *cost_lines(plan_cost(plan, measured), plan.cost, measured)]
