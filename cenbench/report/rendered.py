"""Reads rendered tables and figures back from their JSON files, for the index. Damaged ones are left out, and named."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cenbench.errors import UserError
from cenbench.files import read_json_object
from cenbench.matrix.validation import first_issue, short_repr
from cenbench.regular_file import Missing

TABLE_FORMAT, FIGURE_FORMAT = 2, 1
"""Versions of the files. They are here because the Snakefile reads the files and must not import what renders them."""
log = logging.getLogger("cenbench")
_Place = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _Verdict(_Strict):
    word: str


class _Value(_Strict):
    metric: str
    paper: float | None
    ours: float | None
    verdict: _Verdict


class _Entry(_Strict):
    row: _Place
    column: _Place
    values: list[_Value]


class _Row(_Strict):
    group: str | None
    labels: list[str]


class _Shown(_Strict):
    """A table or figure of a preset: its file is `preset/name.json`."""

    preset: str | None = None
    name: str


class _Rendered(_Shown):
    """What is read of a table's JSON; it holds more."""

    format: Literal[2]
    name: str = Field(alias="table")
    title: str
    columns: list[str]
    rows: list[_Row]
    states: dict[str, int]
    entries: list[_Entry]
    protocol: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_place(self) -> _Rendered:
        for entry in self.entries:
            if entry.row >= len(self.rows) or entry.column >= len(self.columns):
                raise ValueError(f"no row {entry.row} and column {entry.column}")
        return self


class RenderedFigure(_Shown):
    """What is read of a figure's JSON; it holds more."""

    format: Literal[1]
    name: str = Field(alias="figure")
    title: str
    states: dict[str, int]
    caption: str = ""
    card: Any = None
    """Read with `cenbench.report.card.readable_card`."""


def read_rendered_figure(path: Path) -> RenderedFigure | None:
    """The figure in the file; None if it is missing, of another version, or damaged."""
    document = _whole(path, FIGURE_FORMAT, RenderedFigure)
    return None if document is None else RenderedFigure.model_validate(document)


def read_rendered(path: Path) -> dict[str, Any] | None:
    """The table in the file; None if it is missing, of another version (until it is rendered again), or damaged."""
    return _whole(path, TABLE_FORMAT, _Rendered)


def table_damage(path: Path) -> str | None:
    """Why the table in the file cannot be read; None if it can, or if there is none of this version."""
    try:
        _read(path, TABLE_FORMAT, _Rendered)
    except _Damaged as damage:
        return str(damage)
    return None


class _Damaged(Exception):
    """Why a file holds no table or figure."""


def _whole(path: Path, version: int, model: type[_Shown]) -> dict[str, Any] | None:
    """What the file holds; None, with a warning, if it is damaged."""
    try:
        return _read(path, version, model)
    except _Damaged as damage:
        _left_out(path, str(damage))
        return None


def _read(path: Path, version: int, model: type[_Shown]) -> dict[str, Any] | None:
    try:
        document = read_json_object(path)
        if type(found := document.get("format")) is int and found != version:
            return None
        shown = model.model_validate(document)
    except Missing:
        return None
    except UserError as error:
        raise _Damaged(error.problem) from error
    except ValidationError as error:
        raise _Damaged(first_issue(error).line()) from error
    preset, name = shown.preset or path.parent.name, shown.name
    if (preset, name) != (path.parent.name, path.stem):
        raise _Damaged(f"it holds {short_repr(name)} of preset {short_repr(preset)}")
    return document


def _left_out(path: Path, why: str) -> None:
    preset, name = path.parent.name, path.stem
    kind = "figure" if name.startswith("figure") else "table"
    log.warning(
        "%s is damaged and left out of the index (%s); to make it again: cenbench report --preset %s --%s %s",
        *(path, why, preset, kind, name),
    )
