"""Checks published records against their digests: a record with a changed byte is reported and made again."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.files import read_json_object, read_sealed, sha256_file, unsealed
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.strict_json import read_strict

log = logging.getLogger("cenbench")
FORMAT = 2
"""Version of the record's format. 2: records hold digests of themselves and of the files beside them."""


def read_published(paths: Paths, cell: Cell) -> tuple[dict[str, Any], dict[str, Any]]:
    """metrics.json and provenance.json of a cell. `UserError` if a file of the record is missing or has changed.

    A record of an earlier format is returned unchecked: it may have been sealed differently.
    """
    value, text = read_strict(paths.record(cell))
    if isinstance(value, dict) and value.get("format") in range(1, FORMAT):
        return value, read_json_object(paths.provenance(cell))
    document, provenance = unsealed(paths.record(cell), value, text), read_sealed(paths.provenance(cell))
    for name, expected in document["files"].items():
        path = paths.cell(cell) / name
        found = sha256_file(path) if path.is_file() else "no such file"
        if found != expected:
            problem = f"{name} has changed since it was written"
            raise UserError(problem, where=path, key="sha256", found=found, expected=expected)
    return document, provenance


def set_aside_damaged(paths: Paths, cells: Iterable[Cell]) -> None:
    """Rename metrics.json of every damaged record. Snakemake, which does not check contents, then makes it again.

    If the weights are intact, nothing is trained: the cell is evaluated and published again.
    """
    for cell in cells:
        if (why := why_damaged(paths, cell)) is not None:
            log.warning("cell %s will be published again, because its record is damaged: %s", cell.id, why)
            record = paths.record(cell)
            with suppress(FileNotFoundError):  # a run may be publishing it at this moment
                record.replace(set_aside_path(record))


def why_damaged(paths: Paths, cell: Cell) -> str | None:
    """What is wrong with the files of the cell's record; None if they are whole, or there is no record."""
    if not paths.record(cell).exists():
        return None
    try:
        read_published(paths, cell)
    except (UserError, KeyError, TypeError, AttributeError) as error:
        return str(error)
    return None


def set_aside_path(record: Path) -> Path:
    """Where a damaged metrics.json stays until its cell is published again."""
    return record.with_suffix(".damaged.json")
