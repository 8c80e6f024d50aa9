"""The cells that each claim compares under a preset. Pure: reads the declarations, no results."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cenbench.matrix.cell import Cell
from cenbench.matrix.claim_issues import (
    SIDES,
    impossible,
    impossible_condition,
    impossible_settings,
    nearest,
    same_sides,
    uncheckable,
    unknown_names,
)
from cenbench.matrix.claims import FILE, ClaimSpec, load_claims
from cenbench.matrix.plan import Plan
from cenbench.matrix.robustness import RobustnessSpec, load_robustness
from cenbench.matrix.validation import Issue, as_user_error


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
    def has_one_seed(self) -> bool:
        """Whether a setting has a single pair, so that nothing can be judged."""
        return any(len(setting.pairs) == 1 for setting in self.settings)

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
    issues = [issue for place, spec in enumerate(specs) for issue in unknown_names(spec, f"claims[{place}]", params)]
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
    figures = [figure for figure in plan.figures if figure.name in spec.figures]
    names = ", ".join((*spec.tables, *spec.figures))
    if not tables and not figures:
        return without(f"preset {plan.preset} has none of {names}, which it is about")
    shown = [cell for table in tables for cell in table.cells] + [cell for one in figures for cell in one.cells]
    cells = list({cell.id: cell for cell in shown}.values())
    assert spec.better is not None
    if spec.against is not None or spec.check is not None:
        whole_names = [*(table.name for table in tables if table.whole), *(figure.name for figure in figures)]
        return _planned_alone(spec, key, cells, whole_names)
    whole = all(table.whole for table in tables)
    issues = [*impossible_settings(spec, key, cells)]
    sides = _sides(spec, cells)
    issues += same_sides(spec, key, sides)
    empty = [side for side in SIDES if not sides[side]]
    if not issues and empty and whole:
        problem = f"no cell of {names} in preset {plan.preset} is selected"
        selectors = {"better": spec.better, "worse": spec.worse or spec.better}
        issues += [Issue(f"{key}.{side}", problem, fix=nearest(selectors[side], cells)) for side in empty]
    if issues or empty:
        return ([], issues) if issues else without("the rows that it compares were left out of the table")
    issues += [*impossible(spec, key, sides), *impossible_condition(spec, key, sides, robustness)]
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


def _sides(spec: ClaimSpec, cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """The cells of each side; with `others`, the worse side is whatever the better one does not select."""
    assert spec.better is not None
    better = [cell for cell in cells if spec.better.selects(cell)]
    if spec.worse is None:
        return {"better": better, "worse": [cell for cell in cells if not spec.better.selects(cell)]}
    return {"better": better, "worse": [cell for cell in cells if spec.worse.selects(cell)]}


def _planned_alone(
    spec: ClaimSpec, key: str, cells: Sequence[Cell], whole: Sequence[str]
) -> tuple[list[PlannedClaim], list[Issue]]:
    """A claim about one kind of cells, by a fixed number or an exact check: each cell is paired with itself."""
    assert spec.better is not None
    selected = [cell for cell in cells if spec.better.selects(cell)]
    issues = list(impossible_settings(spec, key, cells))
    if not issues and not selected and whole:
        problem = f"no cell of {', '.join(whole)} is selected"
        issues.append(Issue(f"{key}.better", problem, fix=nearest(spec.better, cells)))
    if not issues and selected and spec.check is None:
        issues += impossible(spec, key, {"better": selected, "worse": ()})
    if not issues and spec.check is not None:
        issues += uncheckable(spec, key, selected)
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
    return list(dict.fromkeys((*spec.better.named(), *(spec.worse.named() if spec.worse else ()))))


def _settings(spec: ClaimSpec, sides: Mapping[str, Sequence[Cell]]) -> tuple[Setting, ...]:
    """The pairs by setting, in the order of the better side's cells."""
    partners: dict[str, list[Cell]] = {}
    for unread, better in _by_unread(sides["better"]).items():
        for unread_there, worse in _by_unread(sides["worse"]).items():
            dropped = unread | unread_there | set(_named(spec))
            candidates: dict[str, list[Cell]] = {}
            for cell in worse:
                candidates.setdefault(_rest(cell, dropped), []).append(cell)
            for cell in better:
                partners.setdefault(cell.id, []).extend(candidates.get(_rest(cell, dropped), ()))
    found: dict[tuple[str, str], list[tuple[Cell, Cell]]] = {}
    for cell in sides["better"]:
        for other in partners[cell.id]:
            if cell.seed == other.seed:
                found.setdefault((_network(cell), _network(other)), []).append((cell, other))
    return tuple(Setting(_label(*pairs[0]), tuple(pairs)) for pairs in found.values())


def _by_unread(cells: Iterable[Cell]) -> dict[frozenset[str], list[Cell]]:
    """The cells by what they do not use, such as lambda without an l1 term: it separates no pair."""
    found: dict[frozenset[str], list[Cell]] = {}
    for cell in cells:
        found.setdefault(frozenset(cell.all_settings.keys() - cell.settings.keys()), []).append(cell)
    return found


def _rest(cell: Cell, without: Collection[str]) -> str:
    """All settings but these and those that come with them, as one string."""
    dropped = {*without, *(["fusion_parameters"] if "fusion" in without else [])}
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
