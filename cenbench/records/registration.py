"""What was claimed before the first number of a preset was seen. Written once, when its first cell starts."""
# changes no number: it records what was declared

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cenbench.errors import UserError
from cenbench.files import digest, read_json_object, write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.claim_pairs import PlannedClaim, plan_claims
from cenbench.matrix.metrics import metrics
from cenbench.matrix.plan import Plan
from cenbench.matrix.table import TERMS
from cenbench.matrix.validation import first_issue
from cenbench.paths import Paths
from cenbench.regular_file import Missing, Unreadable, is_there

FORMAT = 2
_OLD_FORMAT = 1
"""Without the rows that are compared."""
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
_TERMS = tuple(term for term in TERMS if term != "stream")
Declared = Literal["before the run", "after numbers were seen", "no cell has started"]


class _Registration(BaseModel):
    """The shape of the file."""

    model_config = ConfigDict(strict=True, extra="forbid")
    format: Literal[1, 2]
    preset: str
    claims: dict[str, _Digest]


def claim_digests(plan: Plan, planned: Sequence[PlannedClaim], version: int = FORMAT) -> dict[str, str]:
    """Name -> digest of everything that decides how a claim is judged: sides, margin, seeds and metric, and the rows
    that it compares. How these are trained is no part of it.
    """
    seeds = sorted({cell.seed for cell in plan.shown})
    found = {}
    for claim in planned:
        metric = metrics().get(claim.spec.metric or "")
        measured = [metric.name, metric.better, metric.needs] if metric else None
        decisive = [claim.spec.digest(), seeds, measured]
        found[claim.spec.name] = digest(decisive if version == _OLD_FORMAT else [*decisive, _compared(claim)])[:12]
    return found


def _compared(claim: PlannedClaim) -> list[list[str]]:
    """What is compared with what, as tables name it: a claim without the row that speaks against it is another one."""
    sides = (setting.pairs[0] for setting in claim.settings)
    return sorted([_terms(better), _terms(worse)] for better, worse in sides)


def _terms(cell: Cell) -> str:
    return " ".join(str(getattr(cell, term)) for term in _TERMS)


def register(paths: Paths, plan: Plan) -> None:
    """Write the digests of the claims, unless that was done before or a cell of the preset already has numbers.

    A damaged file is written again, but not one that the file system does not give: it may be whole. Raises `UserError`
    for claims that are declared wrongly: once there are numbers, they can no longer be registered.
    """
    path = paths.registration(plan.preset)
    if _has_numbers(paths, plan):
        return
    try:
        if _read(path, plan.preset) is not None:
            return
    except Unreadable:
        return
    except UserError:
        pass
    planned = plan_claims(paths.params, plan)
    write_json(path, {"format": FORMAT, "preset": plan.preset, "claims": claim_digests(plan, planned)})


def declared(paths: Paths, plan: Plan, planned: Sequence[PlannedClaim]) -> Mapping[str, Declared]:
    """Name of each claim -> when it was declared in its present form. A damaged file counts as none."""
    names = {claim.spec.name for claim in planned}
    try:
        found = _read(paths.registration(plan.preset), plan.preset)
    except UserError:
        found = None
    if found is None:
        seen = _has_numbers(paths, plan)
        return dict.fromkeys(names, "after numbers were seen" if seen else "no cell has started")
    return {
        name: "before the run" if found.claims.get(name) == value else "after numbers were seen"
        for name, value in claim_digests(plan, planned, found.format).items()
    }


def why_unregistered(paths: Paths, plan: Plan) -> str | None:
    """Why the preset's file counts as none although there is one; None if it is whole, or there is none."""
    path = paths.registration(plan.preset)
    try:
        _read(path, plan.preset)
    except UserError as error:
        found = "" if error.found is None else f" ({error.found})"
        return f"{path.relative_to(paths.root)} does not count: {error.problem}{found}"
    return None


def _read(path: Path, preset: str) -> _Registration | None:
    """What was declared; None if there is no file. `UserError` for one that cannot be read, or is another preset's."""
    try:
        found = _Registration.model_validate(read_json_object(path))
    except Missing:
        return None
    except ValidationError as error:
        found_there = first_issue(error).line()
        raise UserError(f"{path.name} is not a registration of claims", where=path, found=found_there) from None
    if found.preset != preset:
        raise UserError(f"{path.name} is another preset's", where=path, found=found.preset, expected=preset)
    return found


def _has_numbers(paths: Paths, plan: Plan) -> bool:
    return any(is_there(paths.record(cell)) for cell in plan.cells.values())
