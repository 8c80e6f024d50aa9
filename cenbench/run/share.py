"""Finished cells in one file, for another clone: what is taken there is exactly what would come out there.

An archive holds, for each cell, its published record and its finished training. Nothing else decides whether a cell is
taken than what decides in the clone itself whether it is up to date: code, data, pretrained files.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cenbench.data.manifest import is_prepared
from cenbench.errors import UserError
from cenbench.files import atomic_path
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.records.failure import clear_failure
from cenbench.records.read import read_record
from cenbench.run.archive import unpack
from cenbench.run.lock import cell_lock
from cenbench.train.trained import FILES as TRAINED
from cenbench.train.trained import differs, is_finished


@dataclass(frozen=True)
class ImportResult:
    """Ids of the cells by what was done with them."""

    taken: tuple[str, ...]
    kept: tuple[str, ...]
    """Finished here already: not touched."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """id -> why the archive's record is not taken: it would be no result here, or the cell is being run."""
    absent: tuple[str, ...] = ()
    """Not in the archive, and not finished here."""


def export_results(plan: Plan, paths: Paths, file: Path) -> list[str]:
    """Write every finished cell of the plan to `file` (tar); the ids. The same cells give the same bytes.

    Raises `UserError` where none is finished.
    """
    cells = [cell for cell in plan.cells.values() if read_record(paths, cell).state == "ok"]
    if not cells:
        raise UserError(f"no cell of preset {plan.preset!r} is finished here", fix="snakemake all_tables first")
    members = sorted({path for cell in cells for path in _files(paths, cell)})
    with atomic_path(file) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in members:
            info = tarfile.TarInfo(path.relative_to(paths.root).as_posix())
            info.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(info, content)
    return [cell.id for cell in cells]


def import_results(plan: Plan, paths: Paths, file: Path) -> ImportResult:
    """Take from the archive every cell of the plan that is not finished here and whose record is up to date here.

    Raises `UserError` for a file that is no archive or damaged; nothing is touched then.
    """
    if not file.is_file():
        raise UserError("there is no such file", where=file, fix="cenbench results export FILE, in the other clone")
    paths.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=paths.results) as folder:
        there = _unpacked(file, Path(folder) / "clone", paths)
        found, kept, absent, refused = [], [], [], {}
        for cell in plan.cells.values():
            if read_record(paths, cell).state == "ok":
                kept.append(cell.id)
            elif not there.record(cell).exists():
                absent.append(cell.id)
            elif why := _obstacle(there, paths, cell):
                refused[cell.id] = why
            else:
                found.append(cell)
        taken = []
        for cell in found:  # after all were looked at: two cells may share one training
            try:
                _take(there, paths, cell)
            except UserError as error:  # it is being run here; the others are taken all the same
                refused[cell.id] = error.problem
            else:
                taken.append(cell.id)
    return ImportResult(tuple(taken), tuple(kept), refused, tuple(absent))


def _files(paths: Paths, cell: Cell) -> list[Path]:
    published = [path for path in paths.cell(cell).rglob("*") if path.is_file()]
    trained = [paths.state(cell) / name for name in TRAINED]
    return [*published, *(path for path in trained if path.exists())]


def _unpacked(file: Path, root: Path, paths: Paths) -> Paths:
    """The archive's cells as those of a clone beside this clone's own data and pretrained files."""
    unpack(file, root)
    others = sorted(path.name for path in root.iterdir() if path.name != "results")
    if others:
        raise UserError("no archive of `cenbench results export`", where=file, found=others[0], expected="results/")
    there = Paths(root)
    there.data.parent.mkdir()
    there.data.symlink_to(paths.data.resolve())
    there.weights.symlink_to(paths.weights.resolve())
    return there


def _obstacle(there: Paths, here: Paths, cell: Cell) -> str | None:
    key = dataset_key(cell.dataset)
    if not is_prepared(there.data / key):
        return f"dataset {key} is not here to compare with: dvc pull, or cenbench data prepare"
    if not is_finished(there.state(cell)):
        return "the archive has its record, not its training"
    record = read_record(there, cell)
    if record.state != "ok":
        return f"{record.state}: {record.reason}"
    if differs(there.state(cell), here.state(cell)):  # another cell may rest on those that are here
        return "its training is finished here, with other weights: the next run measures those"
    return None


def _take(there: Paths, here: Paths, cell: Cell) -> None:
    """Training first, then the record, so that a kill between the two leaves a training to be measured."""
    with cell_lock(here.state(cell)):
        clear_failure(here, cell)
        for name in TRAINED:
            source = there.state(cell) / name
            if source.exists():
                os.utime(source)
                source.replace(here.state(cell) / name)
        shutil.rmtree(here.cell(cell), ignore_errors=True)
        here.cell(cell).parent.mkdir(parents=True, exist_ok=True)
        there.cell(cell).replace(here.cell(cell))
