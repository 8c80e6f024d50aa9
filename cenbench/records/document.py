"""The shape of metrics.json and provenance.json: what is read from them has these types, or the record is damaged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cenbench.errors import UserError
from cenbench.evaluate.per_image import FILE as PER_IMAGE
from cenbench.matrix.specs import NormStatistics
from cenbench.matrix.validation import first_issue
from cenbench.train.gamma_file import FILE as GAMMAS
from cenbench.train.history import HISTORY

FORMAT = 3
"""Version of the record's format. 2: records hold digests of themselves and of the files beside them. 3: also of the
weights that were measured, and provenance.json names its cell."""
SAMPLES = "samples"
"""Folder of the sample pictures in a cell's folder."""
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_FileName = Annotated[str, Field(pattern=rf"^({HISTORY}|{GAMMAS}|{PER_IMAGE}|{SAMPLES}/\w[\w.-]*\.png)$")]
"""No other file belongs to a record; none of these names leads out of its folder."""
_Seconds = Annotated[float, Field(ge=0, le=1e10)]
_Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=-1e30, le=1e30)]
"""A metric's value; sums and squares of many such numbers are still finite."""
_Percent = Annotated[float, Field(ge=0, le=100.001)]
_Count = Annotated[int, Field(ge=0, le=10**15)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class _Parameters(_Strict):
    total: _Count = 0
    fusion: _Count = 0
    flops: Annotated[int, Field(ge=0, le=10**19)] = 0
    ensemble_weights: dict[str, Score] = {}


class _Exchange(_Strict):
    overall: dict[str, _Share]
    layers: dict[str, dict[str, _Share]]


class _Record(_Strict):
    format: Literal[3]
    cell_id: str
    training_id: str
    state: Literal["ok", "skipped"]
    reason: str | None
    cell: dict[str, Any]
    digests: dict[str, str | None]
    files: dict[_FileName, _Sha256]
    weights_sha256: _Sha256 | None
    origin: Literal["trained", "imported"] | None = None
    metrics: dict[str, dict[str, Score]]
    other_norm_statistics: dict[NormStatistics, dict[str, dict[str, Score]]] = {}
    """`metrics` with the norm statistics that the cell's evaluation does not name."""
    stand_in: dict[str, str]
    parameters: _Parameters
    exchange: _Exchange | None = None
    per_class_iou_pct: dict[str, dict[str, _Percent | None]] = {}
    confusion: dict[str, list[str]] = {}

    @model_validator(mode="after")
    def _complete(self) -> _Record:
        if missing := [name for name in (HISTORY, PER_IMAGE) if name not in self.files]:
            raise ValueError(f"no digest of {missing[0]}")
        if self.state == "ok" and (self.weights_sha256 is None or self.origin is None):
            raise ValueError("a finished cell without the digest or the origin of its weights")
        if self.state == "skipped" and self.reason is None:
            raise ValueError("a skipped cell without a reason")
        return self


class _Imported(_Strict):
    file: str
    sha256: str


class _Environment(_Strict):
    locked: bool
    constraints_sha256: str | None
    differs: dict[str, str]


class _Provenance(_Strict):
    """What is read of provenance.json; it holds more."""

    cell_id: str
    steps: _Count | None = None
    trained_steps: _Count | None = None
    train_s: _Seconds | None = None
    wall_s: _Seconds | None = None
    device: str | None = None
    device_type: str | None = None
    revision: str | None = None
    imported: _Imported | None = None
    environment: _Environment | None = None


def check_record(path: Path, document: Mapping[str, Any]) -> None:
    """`UserError` unless `document`, read from `path`, has the shape of a metrics.json of this format."""
    _check(_Record, path, document)


def check_provenance(path: Path, document: Mapping[str, Any]) -> None:
    """`UserError` unless `document`, read from `path`, has the shape of a provenance.json of this format."""
    _check(_Provenance, path, document)


def _check(model: type[_Strict], path: Path, document: Mapping[str, Any]) -> None:
    try:
        model.model_validate(document)
    except ValidationError as error:
        issue = first_issue(error)
        problem = f"{path.name} is not a record of this version"
        raise UserError(problem, where=path, key=issue.key or None, found=issue.problem) from None
