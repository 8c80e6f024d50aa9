"""What is wrong with a claim's declaration: each problem with its key, for the error that `cenbench plan` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cenbench.matrix.cell import Cell
from cenbench.matrix.claims import ClaimSpec, Selector
from cenbench.matrix.corollary_applies import corollary_obstacle
from cenbench.matrix.figure import figure_names
from cenbench.matrix.metrics import measured_metrics, metrics_that_need
from cenbench.matrix.preset import preset_names
from cenbench.matrix.robustness import FILE as ROBUSTNESS_FILE
from cenbench.matrix.robustness import RobustnessSpec
from cenbench.matrix.selector_issues import unknown_methods, unknown_settings
from cenbench.matrix.table import table_names
from cenbench.matrix.validation import Issue, short_repr, spelling_hint

SIDES = ("better", "worse")


def unknown_names(spec: ClaimSpec, key: str, params: Path) -> Iterator[Issue]:
    """Presets, tables, figures and fusion methods that do not exist."""
    for what, names, known in (
        ("presets", spec.presets, preset_names(params)),
        ("preset_margins", tuple(spec.preset_margins), preset_names(params)),
        ("tables", spec.tables, table_names(params)),
        ("figures", spec.figures, figure_names(params)),
    ):
        for name in names:
            if name not in known:
                hint = spelling_hint(name, known)
                yield Issue(f"{key}.{what}", "unknown name", short_repr(name), ", ".join(known), hint)
    for side in SIDES:
        selector: Selector | None = getattr(spec, side)
        if selector is not None:
            yield from unknown_methods(selector, f"{key}.{side}")


def impossible_settings(spec: ClaimSpec, key: str, cells: Sequence[Cell]) -> Iterator[Issue]:
    """Dotted settings, or values, that no cell has."""
    for side in SIDES:
        selector: Selector | None = getattr(spec, side)
        if selector is not None:
            yield from unknown_settings(selector, f"{key}.{side}", cells)


def same_sides(spec: ClaimSpec, key: str, sides: Mapping[str, Sequence[Cell]]) -> Iterator[Issue]:
    """Cells that both sides select."""
    both = {cell.id for cell in sides["better"]} & {cell.id for cell in sides["worse"]}
    if both:
        problem = f"{len(both)} cells are on both sides"
        fix = f"make the sides differ; the first is {min(both)}"
        yield Issue(f"{key}.worse", problem, fix=fix)


def uncheckable(spec: ClaimSpec, key: str, cells: Sequence[Cell]) -> Iterator[Issue]:
    """Cells that corollary 1's construction does not apply to, by the first reason."""
    reasons = {reason: cell for cell in reversed(cells) if (reason := corollary_obstacle(cell))}
    for reason, cell in reasons.items():
        yield Issue(f"{key}.better", f"{spec.check} cannot be checked on all of its cells", cell.slug, fix=reason)


def impossible(spec: ClaimSpec, key: str, sides: Mapping[str, Sequence[Cell]]) -> Iterator[Issue]:
    """A metric that the task does not have, and outputs that the networks do not have."""
    cells = [cell for side in SIDES for cell in sides[side]]
    for kind in dict.fromkeys(cell.task.kind for cell in cells):
        known = (*measured_metrics(kind), *metrics_that_need("network", "gammas"))
        if spec.metric not in known:
            hint = spelling_hint(spec.metric, known)
            problem = f"{kind} cells do not have this metric"
            yield Issue(f"{key}.metric", problem, short_repr(spec.metric), ", ".join(known), hint)
    streams = set.intersection(*(set(cell.streams) for cell in cells))
    for stream in spec.streams:
        if stream not in streams:
            allowed = ", ".join(sorted(streams))
            hint = spelling_hint(stream, streams)
            yield Issue(f"{key}.streams", "not an output of all its cells", short_repr(stream), allowed, hint)


def impossible_condition(
    spec: ClaimSpec, key: str, sides: Mapping[str, Sequence[Cell]], robustness: RobustnessSpec
) -> Iterator[Issue]:
    """A condition that is not declared, or that not all of the cells can be evaluated under."""
    if spec.under is None:
        return
    cells = [cell for side in SIDES for cell in sides[side]]
    every = [{condition.key for condition in robustness.conditions(cell)} for cell in cells]
    known = [one.key for one in robustness.conditions(cells[0]) if all(one.key in keys for keys in every)]
    wanted = spec.under.condition
    for one in (wanted, wanted.baseline):
        if one.key not in known:
            hint = spelling_hint(one.key, known) or f"declare it in params/{ROBUSTNESS_FILE}"
            yield Issue(f"{key}.under", "not a condition of all its cells", short_repr(one.key), ", ".join(known), hint)
            return
    if spec.metric in metrics_that_need("network", "gammas"):
        allowed = ", ".join(measured_metrics(cells[0].task.kind))
        yield Issue(f"{key}.metric", "no condition changes this metric", short_repr(spec.metric), allowed)
    elif wanted.kind == "exposure" and spec.metric not in _of_single_images():
        allowed = ", ".join(_of_single_images())
        problem = "scenes of one exposure cannot be scored by this metric"
        yield Issue(f"{key}.metric", problem, short_repr(spec.metric), allowed)


def _of_single_images() -> tuple[str, ...]:
    """Metrics that can be computed from the per-image scores of some images."""
    return (*metrics_that_need("confusion"), *metrics_that_need("pixels"))


def nearest(selector: Selector, cells: Sequence[Cell]) -> str:
    """What the cells have for the keys of a selector that none of them satisfies."""
    known = [cell.settings for cell in cells]
    for name, allowed in selector.named().items():
        values: list[Any] = list(dict.fromkeys(str(setting.get(name)) for setting in known))
        if not {str(value) for value in allowed} & set(values):
            return f"its cells have {name}: {', '.join(values)}"
    return "no single cell has all of these settings"
