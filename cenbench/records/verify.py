"""Checks published records: every byte against its digest, and that the record is the one of its cell.

A record that fails is `damaged`: it is reported with the file and what is wrong with it, and made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cenbench.errors import UserError
from cenbench.files import sha256_file, unsealed
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.records.document import FORMAT, check_provenance, check_record
from cenbench.records.impossible import check_numbers
from cenbench.regular_file import Missing
from cenbench.strict_json import read_strict

LARGEST_BYTES = 2**30
"""Of a file of a record."""
_TRIES = 20


@dataclass(frozen=True)
class Published:
    """The documents of a whole record that belongs to its cell."""

    document: Mapping[str, Any]
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class OtherVersion:
    """A record that this version of the program does not read: `reason` tells why."""

    reason: str


def read_published(paths: Paths, cell: Cell) -> Published | OtherVersion | None:
    """The cell's record; None if there is none. `UserError` naming the file where the record is damaged.

    A record that is published or replaced at this moment is read again: what is returned is of one moment.
    """
    for _ in range(_TRIES):
        before = _version(paths.record(cell))
        try:
            return _read(paths, cell)
        except UserError as error:
            problem = error
            if _version(paths.record(cell)) == before:
                break
    raise problem


def _version(record: Path) -> tuple[int, int] | None:
    """What differs once metrics.json was replaced or removed."""
    try:
        status = record.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _read(paths: Paths, cell: Cell) -> Published | OtherVersion | None:
    path = paths.record(cell)
    try:
        value, text = read_strict(path)
    except Missing:
        return None
    if isinstance(value, dict) and type(found := value.get("format")) is int and found != FORMAT:
        return OtherVersion(f"written in format {found}; this version reads format {FORMAT}")
    document = unsealed(path, value, text)
    check_record(path, document)
    if (other := _check_cell(path, document, cell)) is not None:
        return other
    check_numbers(path, document, cell)
    return Published(document, _read_beside(paths, cell, document["files"]))


def _read_beside(paths: Paths, cell: Cell, files: Mapping[str, str]) -> Mapping[str, Any]:
    """Check the other files of the record; returns provenance.json."""
    folder, path = paths.cell(cell), paths.provenance(cell)
    provenance = unsealed(path, *read_strict(path))
    check_provenance(path, provenance)
    if provenance["cell_id"] != cell.id:
        raise _of_another(path, provenance["cell_id"], cell.id)
    for name, expected in files.items():
        path = folder / name
        if (found := sha256_file(path, LARGEST_BYTES)) != expected:
            problem = f"{name} has changed since it was written"
            raise UserError(problem, where=path, key="sha256", found=found, expected=expected)
    return provenance


def _check_cell(path: Path, document: Mapping[str, Any], cell: Cell) -> OtherVersion | None:
    """`UserError` for the record of another cell. Not the ids decide but what they are made of: all of the cell."""
    if document["cell_id"] != cell.id or document["training_id"] != cell.training_id:
        raise _of_another(path, document["cell_id"], cell.id)
    if document["cell"] == cell.model_dump(mode="json"):
        return None
    try:
        described = Cell.model_validate(document["cell"])
    except ValidationError:
        return OtherVersion("its cell is described as another version of the code does")
    if (described.id, described.training_id) != (cell.id, cell.training_id):
        raise _of_another(path, described.id, cell.id)
    return None  # the same cell: settings that this version added have their defaults


def _of_another(path: Path, found: str, expected: str) -> UserError:
    return UserError(f"{path.name} is of another cell", where=path, key="cell", found=found, expected=expected)


def set_aside(paths: Paths, cell: Cell) -> None:
    """Rename metrics.json of a damaged record; it stays until the cell is published again."""
    record = paths.record(cell)
    with suppress(OSError):  # a run may be publishing it at this moment
        record.replace(record.with_suffix(".damaged.json"))
