"""The cells that each claim compares under a preset. Pure: reads the declarations, no results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cenbench.matrix.cell import Cell
from cenbench.matrix.claims import FILE, ClaimSpec, Selector, load_claims
from cenbench.matrix.methods import methods
from cenbench.matrix.metrics import measured_metrics, metrics_that_need
from cenbench.matrix.plan import Plan
from cenbench.matrix.preset import preset_names
from cenbench.matrix.robustness import FILE as ROBUSTNESS_FILE
from cenbench.matrix.robustness import RobustnessSpec, load_robustness
from cenbench.matrix.table import table_names
from cenbench.matrix.validation import Issue, as_user_error, short_repr, spelling_hint

_SIDES = ("better", "worse")


@dataclass(frozen=True)
class Setting:
    """Two networks that differ only in what the claim is about: the pairs of cells with the same seed."""

    label: str
    """What both sides have in common and what varies between the claim's settings, for people."""
    pairs: tuple[tuple[Cell, Cell], ...]
    """(better, worse), one pair per seed."""


@dataclass(frozen=True)
class PlannedClaim:
    """A claim and the cells that decide it on one output; no settings where this preset cannot judge it."""

    spec: ClaimSpec
    stream: str
    settings: tuple[Setting, ...]
    why_not: str | None = None

    @property
    def name(self) -> str:
        return self.spec.name if len(self.spec.streams) == 1 else f"{self.spec.name} ({self.stream})"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell it needs, each once."""
        cells = (cell for setting in self.settings for pair in setting.pairs for cell in pair)
        return tuple({cell.id: cell for cell in cells}.values())


def plan_claims(params: Path, plan: Plan) -> tuple[PlannedClaim, ...]:
    """Every claim with its cells under this preset, in the order of the file.

    Raises one `UserError` on `params/claims.yaml`, with keys and lines, for unknown names, a metric that the task does
    not have, a claim that selects nothing, and two sides that are the same cells.
    """
    specs, robustness = load_claims(params), load_robustness(params)
    issues = [issue for place, spec in enumerate(specs) for issue in _unknown_names(spec, f"claims[{place}]", params)]
    if issues:
        raise as_user_error(params / FILE, issues)
    planned: list[PlannedClaim] = []
    for place, spec in enumerate(specs):
        found, found_issues = _planned(spec, f"claims[{place}]", plan, robustness)
        planned += found
        issues += found_issues
    if issues:
        raise as_user_error(params / FILE, issues)
    return tuple(planned)


def _unknown_names(spec: ClaimSpec, key: str, params: Path) -> Iterator[Issue]:
    for what, names, known in (
        ("presets", spec.presets, preset_names(params)),
        ("preset_margins", tuple(spec.preset_margins), preset_names(params)),
        ("tables", spec.tables, table_names(params)),
    ):
        for name in names:
            if name not in known:
                hint = spelling_hint(name, known)
                yield Issue(f"{key}.{what}", "unknown name", short_repr(name), ", ".join(known), hint)
    for side in _SIDES:
        selector: Selector | None = getattr(spec, side)
        for name in (selector.named() if selector else {}).get("fusion", ()):
            if name not in methods():
                hint = spelling_hint(name, methods())
                problem = "unknown fusion method"
                yield Issue(f"{key}.{side}.fusion", problem, short_repr(name), ", ".join(methods()), hint)


def _planned(
    spec: ClaimSpec, key: str, plan: Plan, robustness: RobustnessSpec
) -> tuple[list[PlannedClaim], list[Issue]]:
    def without(why: str) -> tuple[list[PlannedClaim], list[Issue]]:
        return [PlannedClaim(spec, stream, (), why) for stream in spec.streams], []

    if spec.needs is not None:
        return without(f"not measured yet: {spec.needs}")
    if plan.preset not in spec.presets:
        return without(f"not judged in preset {plan.preset}")
    tables = [table for table in plan.tables if table.name in spec.tables]
    if not tables:
        return without(f"preset {plan.preset} has none of its tables ({', '.join(spec.tables)})")
    cells = list({cell.id: cell for table in tables for cell in table.cells}.values())
    assert spec.better is not None
    if spec.against is not None:
        return _planned_against(spec, key, cells, [table.name for table in tables if table.whole])
    assert spec.worse is not None
    whole = all(table.whole for table in tables)
    issues = [*_unknown_settings(spec, key, cells)]
    sides = {side: [cell for cell in cells if getattr(spec, side).selects(cell)] for side in _SIDES}
    issues += _same_sides(spec, key, sides)
    empty = [side for side in _SIDES if not sides[side]]
    if not issues and empty and whole:
        problem = f"no cell of {', '.join(spec.tables)} in preset {plan.preset} is selected"
        issues += [Issue(f"{key}.{side}", problem, fix=_nearest(getattr(spec, side), cells)) for side in empty]
    if issues or empty:
        return ([], issues) if issues else without("the rows that it compares were left out of the table")
    issues += [*_impossible(spec, key, sides), *_impossible_condition(spec, key, sides, robustness)]
    settings = _settings(spec, sides)
    if not issues and not settings and whole:
        named = ", ".join(_named(spec))
        problem = f"no two cells differ only in {named}"
        issues.append(Issue(f"{key}.worse", problem, fix="name every setting in which the two sides differ"))
    if issues:
        return [], issues
    if not settings:
        return without("the rows that it compares were left out of the table")
    return [PlannedClaim(spec, stream, settings) for stream in spec.streams], []


def _planned_against(
    spec: ClaimSpec, key: str, cells: Sequence[Cell], whole: Sequence[str]
) -> tuple[list[PlannedClaim], list[Issue]]:
    """A claim about one kind of cells and a fixed number: each cell is paired with itself."""
    assert spec.better is not None
    selected = [cell for cell in cells if spec.better.selects(cell)]
    issues = list(_unknown_settings(spec, key, cells))
    if not issues and not selected and whole:
        problem = f"no cell of {', '.join(whole)} is selected"
        issues.append(Issue(f"{key}.better", problem, fix=_nearest(spec.better, cells)))
    if not issues and selected:
        issues += _impossible(spec, key, {"better": selected, "worse": ()})
    if issues:
        return [], issues
    networks: dict[str, list[Cell]] = {}
    for cell in selected:
        networks.setdefault(_network(cell), []).append(cell)
    settings = tuple(Setting(_short(group[0]), tuple((cell, cell) for cell in group)) for group in networks.values())
    why_not = None if settings else "the rows that it is about were left out of the table"
    return [PlannedClaim(spec, stream, settings, why_not) for stream in spec.streams], []


def _named(spec: ClaimSpec) -> list[str]:
    """The settings that may differ between the two sides."""
    assert spec.better is not None
    assert spec.worse is not None
    return list(dict.fromkeys((*spec.better.named(), *spec.worse.named())))


def _unknown_settings(spec: ClaimSpec, key: str, cells: Sequence[Cell]) -> Iterator[Issue]:
    known = dict.fromkeys(name for cell in cells for name in cell.all_settings)
    for side in _SIDES:
        selector: Selector | None = getattr(spec, side)
        for name in selector.settings if selector else ():
            if name not in known:
                hint = spelling_hint(name, known)
                allowed = ", ".join(name for name in known if "." in name)
                yield Issue(f"{key}.{side}.settings", "no cell has this setting", short_repr(name), allowed, hint)


def _same_sides(spec: ClaimSpec, key: str, sides: Mapping[str, Sequence[Cell]]) -> Iterator[Issue]:
    both = {cell.id for cell in sides["better"]} & {cell.id for cell in sides["worse"]}
    if both:
        problem = f"{len(both)} cells are on both sides"
        fix = f"make the sides differ; the first is {min(both)}"
        yield Issue(f"{key}.worse", problem, fix=fix)


def _impossible(spec: ClaimSpec, key: str, sides: Mapping[str, Sequence[Cell]]) -> Iterator[Issue]:
    """A metric that the task does not have, and outputs that the networks do not have."""
    cells = [cell for side in _SIDES for cell in sides[side]]
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


def _impossible_condition(
    spec: ClaimSpec, key: str, sides: Mapping[str, Sequence[Cell]], robustness: RobustnessSpec
) -> Iterator[Issue]:
    """A condition that is not declared, or that not all of the cells can be evaluated under."""
    if spec.under is None:
        return
    cells = [cell for side in _SIDES for cell in sides[side]]
    every = [{condition.key for condition in robustness.conditions(cell)} for cell in cells]
    known = [one.key for one in robustness.conditions(cells[0]) if all(one.key in keys for keys in every)]
    wanted = spec.under.condition
    for one in (wanted, wanted.baseline):
        if one.key not in known:
            hint = spelling_hint(one.key, known) or f"declare it in params/{ROBUSTNESS_FILE}"
            yield Issue(f"{key}.under", "not a condition of all its cells", short_repr(one.key), ", ".join(known), hint)
            return
    if wanted.kind == "exposure" and spec.metric not in _of_single_images():
        allowed = ", ".join(_of_single_images())
        problem = "scenes of one exposure cannot be scored by this metric"
        yield Issue(f"{key}.metric", problem, short_repr(spec.metric), allowed)


def _of_single_images() -> tuple[str, ...]:
    """Metrics that can be computed from the per-image scores of some images."""
    return (*metrics_that_need("confusion"), *metrics_that_need("pixels"))


def _settings(spec: ClaimSpec, sides: Mapping[str, Sequence[Cell]]) -> tuple[Setting, ...]:
    """The pairs by setting, in the order of the better side's cells."""
    named = _named(spec)
    worse: dict[str, list[Cell]] = {}
    for cell in sides["worse"]:
        worse.setdefault(_rest(cell, named), []).append(cell)
    found: dict[tuple[str, str], list[tuple[Cell, Cell]]] = {}
    for cell in sides["better"]:
        for other in worse.get(_rest(cell, named), ()):
            if cell.seed == other.seed:
                found.setdefault((_network(cell), _network(other)), []).append((cell, other))
    return tuple(Setting(_label(*pairs[0]), tuple(pairs)) for pairs in found.values())


def _rest(cell: Cell, named: Sequence[str]) -> str:
    """All settings but the named ones and those that come with them, as one string."""
    dropped = {*named, *(["fusion_parameters"] if "fusion" in named else [])}
    rest = {
        name: value
        for name, value in cell.all_settings.items()
        if name not in dropped and name.partition(".")[0] not in dropped
    }
    return json.dumps(rest, sort_keys=True)


def _network(cell: Cell) -> str:
    """The cell without its seed."""
    return json.dumps(cell.all_settings, sort_keys=True)


def _label(better: Cell, worse: Cell) -> str:
    return f"{_short(better)} / {_short(worse)}"


def _short(cell: Cell) -> str:
    """The readable part of the id, without image size and seed."""
    return cell.slug.rsplit(".", 2)[0]


def _nearest(selector: Selector, cells: Sequence[Cell]) -> str:
    """What the cells have for the keys of a selector that none of them satisfies."""
    known = [cell.settings for cell in cells]
    for name, allowed in selector.named().items():
        values: list[Any] = list(dict.fromkeys(str(setting.get(name)) for setting in known))
        if not {str(value) for value in allowed} & set(values):
            return f"its cells have {name}: {', '.join(values)}"
    return "no single cell has all of these settings"
