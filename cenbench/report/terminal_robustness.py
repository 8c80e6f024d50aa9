"""Robustness in a terminal: the ensemble's score at each strength."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from cenbench.matrix.condition import CLEAN, TITLES
from cenbench.matrix.cost import StepTimes, evaluation_seconds
from cenbench.matrix.cost_lines import duration
from cenbench.matrix.plan import Plan
from cenbench.matrix.robustness import RobustnessPlan, evaluations
from cenbench.report.render_robustness import mean_text, sections
from cenbench.report.robustness import Robustness
from cenbench.report.terminal import add_row, borderless, literal

_MOST_PROBLEMS = 10


def render_robustness(robustness: Robustness) -> RenderableType:
    """One table per kind of corruption for the first output, which is the ensemble; then what is not evaluated."""
    shown: list[RenderableType] = []
    for section in sections(robustness)[:1]:
        shown += [literal(section.heading, "bold"), Text()]
        for kind, conditions in section.kinds.items():
            if kind == CLEAN.kind:
                continue
            columns = (CLEAN, *conditions) if kind != "exposure" else conditions
            table = borderless("network", *(f">{one.label}" for one in columns), title=TITLES[kind])
            for network in robustness.networks:
                texts = [mean_text(network, condition, section) for condition in columns]
                if any(texts[1:]):
                    add_row(table, network.name, *texts)
            shown += [table, Text()]
    states = ", ".join(f"{count} {state}" for state, count in robustness.states.items()) or "no cells"
    shown.append(literal(f"preset {robustness.preset}: {states}"))
    problems = list(robustness.problems.items())
    shown += [literal(f"  {cell_id}  {why}") for cell_id, why in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        shown.append(literal(f"  and {len(problems) - _MOST_PROBLEMS} more"))
    return Group(*shown)


def robustness_cost_line(plan: Plan, planned: RobustnessPlan, measured: StepTimes | None) -> str:
    """What `snakemake robustness` costs, or that the preset declares nothing for it."""
    if not planned.cells:
        return f"Robustness: preset {plan.preset} declares no cells in params/robustness.yaml."
    cells = planned.cells.values()
    seconds = sum(evaluations(planned.spec, [cell]) * evaluation_seconds(cell, plan.cost, measured) for cell in cells)
    return (
        f"Robustness: {len(cells)} cells, {planned.evaluations:,} evaluations without training; "
        f"at most {duration(seconds)} on one worker."
    )
