"""The plan for the terminal: every cell, the tables that share it, and what it would cost."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cenbench.matrix.cost import cell_seconds, dataset_seconds, plan_cost
from cenbench.matrix.plan import Plan
from cenbench.matrix.steps import total_steps


def render_plan(plan: Plan) -> RenderableType:
    """A rich renderable: one line a cell, then the totals and where the estimate comes from."""
    return Group(_cells(plan), Text(), *(Text(line) for line in _totals(plan)))


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use: `45 s`, `12 min`, `3.5 h`, `2.1 d`."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    if round(seconds / 60) < 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"


def _cells(plan: Plan) -> Table:
    table = Table(title=f"{escape(plan.preset)}: {escape(plan.description)}", title_justify="left", box=None)
    table.add_column("cell", overflow="fold")
    table.add_column("method")
    table.add_column("tables")
    table.add_column("steps", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for cell_id, cell in plan.cells.items():
        steps, seconds = total_steps(cell), cell_seconds(cell, plan.cost)
        tables = ", ".join(plan.tables_of(cell_id))
        table.add_row(escape(cell_id), cell.fusion, tables, f"{steps:,}", duration(seconds))
    return table


def _totals(plan: Plan) -> list[str]:
    cost, model = plan_cost(plan), plan.cost
    shared = sum(len(plan.tables_of(cell_id)) > 1 for cell_id in plan.cells)
    lines = [f"{len(plan.cells)} cells, {shared} of them shown by more than one table."]
    for dataset in dict.fromkeys(cell.dataset for cell in plan.cells.values()):
        size = "x".join(str(side) for side in dict.fromkeys(dataset.shape_px))
        scenes = dataset.train_scenes + dataset.val_scenes
        seconds = duration(dataset_seconds(dataset, model))
        lines.append(f"Dataset {dataset.name}, {size} px, {scenes:,} scenes: {seconds} of one worker.")
    at_once = f"{model.workers} cells at a time" if model.workers > 1 else "one cell at a time"
    lines += [
        f"Total {cost.total_h:,.2f} {model.unit}-hours; about {duration(cost.elapsed_s)} with {at_once}.",
        f"Longest path (dataset, then the longest cell): {duration(cost.longest_s)}.",
        f"Seconds a step: {model.hardware}.",
    ]
    return lines
