"""What was claimed before the first number of a preset was seen. Written once, when its first cell starts."""
# changes no number: it records what was declared

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cenbench.errors import UserError
from cenbench.files import digest, read_json_object, write_json
from cenbench.matrix.claims import ClaimSpec, load_claims
from cenbench.matrix.metrics import metrics
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths
from cenbench.regular_file import is_there

FORMAT = 1
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Declared = Literal["before the run", "after numbers were seen", "no cell has started"]


class _Registration(BaseModel):
    """The shape of the file."""

    model_config = ConfigDict(strict=True, extra="forbid")
    format: Literal[1]
    preset: str
    claims: dict[str, _Digest]


def claim_digests(plan: Plan, specs: Sequence[ClaimSpec]) -> dict[str, str]:
    """Name -> digest of everything that decides how a claim is judged: sides, margin, seeds and metric."""
    seeds = sorted({cell.seed for cell in plan.shown})
    found = {}
    for spec in specs:
        metric = metrics().get(spec.metric or "")
        measured = [metric.name, metric.better, metric.needs] if metric else None
        found[spec.name] = digest([spec.digest(), seeds, measured])[:12]
    return found


def register(paths: Paths, plan: Plan) -> None:
    """Write the digests of the claims, unless that was done before or a cell of the preset already has numbers.

    Claims that cannot be read are not registered: they cannot be judged either, and no training waits for them.
    """
    path = paths.registration(plan.preset)
    if is_there(path) or _has_numbers(paths, plan):
        return
    try:
        specs = load_claims(paths.params)
    except UserError:
        return
    write_json(path, {"format": FORMAT, "preset": plan.preset, "claims": claim_digests(plan, specs)})


def declared(paths: Paths, plan: Plan, specs: Sequence[ClaimSpec]) -> Mapping[str, Declared]:
    """Name of each claim -> when it was declared in its present form. A damaged file counts as none."""
    now = claim_digests(plan, specs)
    try:
        found = _Registration.model_validate(read_json_object(paths.registration(plan.preset)))
        registered = found.claims if found.preset == plan.preset else None
    except (UserError, ValidationError):
        registered = None
    if registered is None:
        seen = _has_numbers(paths, plan)
        return dict.fromkeys(now, "after numbers were seen" if seen else "no cell has started")
    return {
        name: "before the run" if registered.get(name) == value else "after numbers were seen"
        for name, value in now.items()
    }


def _has_numbers(paths: Paths, plan: Plan) -> bool:
    return any(is_there(paths.record(cell)) for cell in plan.cells.values())
