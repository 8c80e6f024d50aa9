"""Finished cells in one archive, for another clone. What is imported there is what training there would have made.

An archive holds the published record and the finished training of each cell. A cell is imported under the same
conditions that make it up to date in a clone: code, data and pretrained files agree.
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
    """Ids of the plan's cells, by what was done with them."""

    imported: tuple[str, ...]
    kept: tuple[str, ...]
    """Already finished here: not touched."""
    rejected: Mapping[str, str] = field(default_factory=dict)
    """id -> why the archive's record was not imported: it is not a result of this clone, or the cell is being run."""
    absent: tuple[str, ...] = ()
    """Neither in the archive nor finished here."""


def export_results(plan: Plan, paths: Paths, file: Path) -> list[str]:
    """Write every finished cell of the plan to `file` (tar) and return their ids. The same cells give the same bytes.

    Raises `UserError` if no cell is finished.
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
    """Import every cell of the plan that is not finished here and whose record in the archive is up to date here.

    Raises `UserError`, and touches nothing, for a file that is damaged or not such an archive.
    """
    if not file.is_file():
        raise UserError("no such file", where=file, fix="cenbench results export FILE, in the other clone")
    paths.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=paths.results) as folder:
        there = _unpacked(file, Path(folder) / "clone", paths)
        chosen, kept, absent, rejected = [], [], [], {}
        for cell in plan.cells.values():
            if read_record(paths, cell).state == "ok":
                kept.append(cell.id)
            elif not there.record(cell).exists():
                absent.append(cell.id)
            elif why := _obstacle(there, paths, cell):
                rejected[cell.id] = why
            else:
                chosen.append(cell)
        imported = []
        for cell in chosen:  # only after all were examined: two cells may share one training
            try:
                _import(there, paths, cell)
            except UserError as error:  # this one is being run here; the others are still imported
                rejected[cell.id] = error.problem
            else:
                imported.append(cell.id)
    return ImportResult(tuple(imported), tuple(kept), rejected, tuple(absent))


def _files(paths: Paths, cell: Cell) -> list[Path]:
    published = [path for path in paths.cell(cell).rglob("*") if path.is_file()]
    trained = [paths.state(cell) / name for name in TRAINED]
    return [*published, *(path for path in trained if path.exists())]


def _unpacked(file: Path, root: Path, paths: Paths) -> Paths:
    """The archive's cells, laid out as a clone that has this clone's data and pretrained files."""
    unpack(file, root)
    others = sorted(path.name for path in root.iterdir() if path.name != "results")
    if others:
        raise UserError("not an archive of `cenbench results export`", where=file, found=others[0], expected="results/")
    there = Paths(root)
    there.data.parent.mkdir()
    there.data.symlink_to(paths.data.resolve())
    there.weights.symlink_to(paths.weights.resolve())
    return there


def _obstacle(there: Paths, here: Paths, cell: Cell) -> str | None:
    """Why the archive's record of the cell must not be imported; None if it may be."""
    key = dataset_key(cell.dataset)
    if not is_prepared(there.data / key):
        return f"dataset {key} is not here to compare with: dvc pull, or cenbench data prepare"
    if not is_finished(there.state(cell)):
        return "the archive has its record but not its training"
    record = read_record(there, cell)
    if record.state != "ok":
        return f"{record.state}: {record.reason}"
    if differs(there.state(cell), here.state(cell)):  # cells here may have been measured with the other weights
        return "its training is finished here, with other weights: the next run evaluates those"
    return None


def _import(there: Paths, here: Paths, cell: Cell) -> None:
    """Training first, then the record: after a kill between the two, the next run evaluates the training."""
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
