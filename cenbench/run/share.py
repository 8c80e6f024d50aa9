"""Finished cells in one archive, for another clone. What is imported there is what training there would have made.

An archive holds the published record and the finished training of each cell, what was measured of it afterwards (its
scores with corrupted inputs, and corollary 1 on its weights), and the params that ask for these cells. A cell is
imported under the same conditions that make it up to date in a clone: code, data and pretrained files agree.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from cenbench.data.manifest import is_prepared
from cenbench.errors import UserError
from cenbench.files import atomic_path
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.records.corollary import read_corollary
from cenbench.records.failure import clear_failure
from cenbench.records.read import CellRecord, read_record
from cenbench.records.robustness import read_robustness
from cenbench.records.write import new_folder
from cenbench.regular_file import open_regular
from cenbench.run.archive import unpack
from cenbench.run.lock import cell_lock
from cenbench.train.trained import FILES as TRAINED
from cenbench.train.trained import differs, finished_files, why_not_measured

_MOST_REASONS = 3
"""How many reasons a message gives."""


@dataclass(frozen=True)
class ExportResult:
    """Ids of the plan's finished cells, by what was done with them."""

    exported: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """id -> why: its record is damaged, or its weights are not those that were measured."""


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
    measured: tuple[Path, ...] = ()
    """Files of measurements after training that came with a cell, or for one that was finished here, relative to the
    checkout.
    """


def export_results(plan: Plan, paths: Paths, file: Path) -> ExportResult:
    """Write every finished cell of the plan to `file` (tar). The same cells give the same bytes.

    Only the files that a record lists are exported. Raises `UserError` if no cell is finished and whole.
    """
    members = set(_declarations(paths))
    exported, left_out = [], {}
    for cell in plan.cells.values():
        record = read_record(paths, cell)
        why = _reason(record) if record.state == "damaged" else _why_not_measured(paths, record)
        if record.state in ("ok", "damaged") and why is not None:
            left_out[cell.id] = why
        elif record.state == "ok":
            exported.append(cell.id)
            members |= {paths.cell(cell) / name for name in _published(paths, record)}
            members |= {paths.state(cell) / name for name in finished_files(paths.state(cell))}
            members |= set(_measured(paths, record))
    if not exported:
        found = "; ".join(_first(dict.fromkeys(left_out.values()))) or None
        fix = "snakemake all_tables first"
        raise UserError(f"no cell of preset {plan.preset!r} is finished here", found=found, fix=fix)
    with atomic_path(file) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(members):
            with open_regular(path) as content:
                info = tarfile.TarInfo(path.relative_to(paths.root).as_posix())
                info.size = os.fstat(content.fileno()).st_size
                archive.addfile(info, content)
    return ExportResult(tuple(exported), left_out)


def _declarations(paths: Paths) -> Iterator[Path]:
    """The files of params/ that a plan is expanded from: they say what the cells were made for."""
    for path in paths.params.rglob("*"):
        if path.suffix in (".yaml", ".csv") and path.is_file():
            yield path


def _first(texts: Collection[str]) -> Iterator[str]:
    """The first of several reasons, and how many more there are."""
    yield from islice(texts, _MOST_REASONS)
    if len(texts) > _MOST_REASONS:
        yield f"and {len(texts) - _MOST_REASONS} more"


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
            elif why := _obstacle(there, paths, record := read_record(there, cell)):
                rejected[cell.id] = why.replace(f"{there.root}{os.sep}", "")  # the folder is gone when it is read
            else:
                chosen.append(record)
        imported, measured = [], []
        for record in chosen:  # only after all were examined: two cells may share one training
            try:
                _import(there, paths, record)
            except UserError as error:  # this one is being run here; the others are still imported
                rejected[record.cell.id] = error.problem
            else:
                imported.append(record.cell.id)
        for cell_id in (*imported, *kept):
            measured += _import_measured(there, paths, read_record(paths, plan.cell(cell_id)))
    return ImportResult(tuple(imported), tuple(kept), rejected, tuple(absent), tuple(measured))


def _published(paths: Paths, record: CellRecord) -> list[str]:
    """Names of the record's files: those with a digest in metrics.json, and the two that hold their own."""
    return [*record.files, paths.provenance(record.cell).name, paths.record(record.cell).name]


def _measured(paths: Paths, record: CellRecord) -> list[Path]:
    """What was measured after training with the weights of this record, and with the code and data that are here."""
    found = []
    if read_robustness(paths, record, ()).state == "ok":
        found.append(paths.robustness(record.cell))
    if read_corollary(paths, record).state == "ok":
        found.append(paths.corollary(record.cell))
    return found


def _import_measured(there: Paths, here: Paths, record: CellRecord) -> list[Path]:
    """Move what belongs to a cell that is finished here, unless that was measured here already; the files moved."""
    own, moved = _measured(here, record), []
    for source in _measured(there, record):
        path = here.root / source.relative_to(there.root)
        if path not in own:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.utime(source)
            source.replace(path)
            moved.append(source.relative_to(there.root))
    return moved


def _why_not_measured(paths: Paths, record: CellRecord) -> str | None:
    if record.state != "ok":
        return None
    return why_not_measured(paths.state(record.cell), record.cell.training_id, record.weights_sha256)


def _reason(record: CellRecord) -> str:
    return f"{record.state}: {record.reason}"


def _unpacked(file: Path, root: Path, paths: Paths) -> Paths:
    """The archive's cells, laid out as a clone that has this clone's data and pretrained files."""
    unpack(file, root)
    others = sorted(path.name for path in root.iterdir() if path.name not in ("params", "results"))
    if others or not (root / "results").is_dir():
        found, expected = others[0] if others else "no folder results/", "results/ and params/"
        raise UserError("not an archive of `cenbench results export`", where=file, found=found, expected=expected)
    there = Paths(root)
    there.data.parent.mkdir()
    there.data.symlink_to(paths.data.resolve())
    there.weights.symlink_to(paths.weights.resolve())
    return there


def _obstacle(there: Paths, here: Paths, record: CellRecord) -> str | None:
    """Why a record of the archive must not be imported; None if it may be."""
    cell, key = record.cell, dataset_key(record.cell.dataset)
    if not is_prepared(there.data / key):
        return f"dataset {key} is not here to compare with: dvc pull, or cenbench data prepare"
    if record.state != "ok":
        return _reason(record)
    if (why := _why_not_measured(there, record)) is not None:
        return why
    if differs(there.state(cell), here.state(cell)):  # cells here may have been measured with the other weights
        return "its training is finished here, with other weights: the next run evaluates those"
    return None


def _import(there: Paths, here: Paths, record: CellRecord) -> None:
    """Training first, then the record: after a kill between the two, the next run evaluates the training.

    Only what was checked moves: the files of the training and those that the record lists.
    """
    cell, names = record.cell, _published(there, record)
    with cell_lock(here.state(cell)) as lock:
        clear_failure(here, cell)
        for name in TRAINED:
            source = there.state(cell) / name
            if source.exists():  # otherwise another cell with this training was imported before
                os.utime(source)
                lock.check()
                source.replace(here.state(cell) / name)
        with new_folder(here, cell, lock.check) as folder:
            for name in names:
                (there.cell(cell) / name).replace(folder / name)
