"""A trained cell's scores with corrupted and absent inputs: a sealed file of its own, bound to cell and weights.

Apart from the cell's record, so that other strengths change no number of it and train nothing. Torch-free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cenbench.errors import UserError
from cenbench.files import write_sealed
from cenbench.matrix.cell import Cell
from cenbench.matrix.condition import Condition
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.records.digests import data_digest, robustness_code
from cenbench.records.document import Score
from cenbench.records.impossible import check_scores
from cenbench.records.measurement_file import Unusable, read_measurement
from cenbench.records.read import CellRecord

FORMAT = 1
State = Literal["ok", "stale", "missing", "damaged", "skipped"]
Scores = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Key of a condition -> stream -> metric -> value."""
_EXPOSURE = "exposure="
"""What the keys of exposures begin with."""
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)
    format: Literal[1]
    cell_id: str
    weights_sha256: _Sha256 | None
    digests: dict[str, str | None]
    conditions: list[str]
    scores: dict[str, dict[str, dict[str, Score]]]
    skipped: str | None = None


@dataclass(frozen=True)
class RobustnessRecord:
    """What is known of a cell under other conditions.

    ok       evaluated with the weights of its record, and with the code, data and conditions that are here now
    skipped  the cell cannot run here, so it has no network to evaluate
    stale    evaluated, but with other weights, code or data, or before a condition was declared
    missing  not evaluated yet, or the cell has no numbers
    damaged  the file is not what was written, is another cell's, or has numbers that no evaluation gives
    """

    state: State
    reason: str | None = None
    scores: Scores = field(default_factory=dict)

    def number(self, condition: Condition, stream: str, metric: str) -> float | None:
        """The value, if there is one."""
        return self.scores.get(condition.key, {}).get(stream, {}).get(metric)


def write_robustness(
    cell: Cell, paths: Paths, weights_sha256: str, conditions: Sequence[Condition], scores: Scores
) -> None:
    """Keep the scores of the weights with this digest."""
    document = _document(cell, paths, conditions)
    write_sealed(paths.robustness(cell), document | {"weights_sha256": weights_sha256, "scores": scores})


def write_robustness_skipped(cell: Cell, paths: Paths, conditions: Sequence[Condition], reason: str) -> None:
    """Keep that the cell has no network to evaluate, and why."""
    document = _document(cell, paths, conditions)
    write_sealed(paths.robustness(cell), document | {"weights_sha256": None, "scores": {}, "skipped": reason})


def read_robustness(paths: Paths, record: CellRecord, conditions: Sequence[Condition]) -> RobustnessRecord:
    """The scores that belong to `record`. Never raises: whatever is wrong is a state with a reason."""
    found = read_measurement(paths.robustness(record.cell), record.cell.id, _Document, missing="not evaluated yet")
    if isinstance(found, Unusable):
        return RobustnessRecord(found.state, found.reason)
    try:
        _check_scores(paths.robustness(record.cell), found, record.cell)
    except UserError as error:
        return RobustnessRecord("damaged", str(error))
    if found.skipped is not None and record.state == "skipped":
        return RobustnessRecord("skipped", found.skipped)
    reason = _why_stale(paths, record, found, conditions)
    return RobustnessRecord("stale" if reason else "ok", reason, found.scores)


def _check_scores(path: Path, found: _Document, cell: Cell) -> None:
    """Raise `UserError` for a number that no evaluation gives, and for a condition that was evaluated without any."""
    for key, scores in found.scores.items():
        check_scores(path, f"scores.{key}", scores, cell)
    for key in () if found.skipped is not None else found.conditions:
        # An exposure that no test scene has is left out, and so are metrics that need all images at once.
        if not any(found.scores.get(key, {}).values()) and not key.startswith(_EXPOSURE):
            raise UserError(
                f"{path.name} lacks the scores of a condition", where=path, key=f"scores.{key}", found="none"
            )


def _why_stale(paths: Paths, record: CellRecord, found: _Document, conditions: Sequence[Condition]) -> str | None:
    if record.state != "ok":
        return f"the cell is {record.state}"
    if found.weights_sha256 != record.weights_sha256:
        return "other weights were evaluated"
    now = _digests(record.cell, paths)
    changed = [name for name, value in now.items() if value is not None and found.digests.get(name) != value]
    if changed:
        return f"the {' and the '.join(changed)} changed since"
    undone = [condition.key for condition in conditions if condition.key not in found.conditions]
    return f"evaluated before {', '.join(undone)} was declared" if undone else None


def _document(cell: Cell, paths: Paths, conditions: Sequence[Condition]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "cell_id": cell.id,
        "digests": _digests(cell, paths),
        "conditions": [condition.key for condition in conditions],
    }


def _digests(cell: Cell, paths: Paths) -> dict[str, str | None]:
    return {"code": robustness_code(cell), "data": data_digest(paths.data / dataset_key(cell.dataset))}
