"""Checks what the cells of a preset need: prepared data, pretrained weights, free space."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from cenbench.data.manifest import MANIFEST, is_prepared, read_manifest
from cenbench.data.raw_folder import holds_raw_files
from cenbench.doctor.check import Check
from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.disk_size import FILES_PER_CELL, dataset_bytes, finished_bytes, state_bytes
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import RENDERED, dataset_key
from cenbench.paths import Paths
from cenbench.pretrained.used import pretrained_files, used_files


def input_checks(plan: Plan, paths: Paths) -> list[Check]:
    """One check per dataset, one of the weights, one of networks trained here to start from, one of the free space."""
    datasets = [
        check_dataset(dataset.name, dataset_key(dataset), paths.data, paths.raw / dataset.name, plan.preset)
        for dataset in plan.datasets
    ]
    return [*datasets, check_weights(plan.cells, paths), *check_pretraining(plan, paths), check_space(plan, paths)]


def absent_inputs(plan: Plan, paths: Paths, cell_ids: Collection[str]) -> list[str]:
    """What these cells would miss, data and weights, a line each: the first thing to know before jobs are submitted.

    For a dry run: writes nothing, so pretrained files are not checked, only looked for.
    """
    cells = {cell_id: plan.cell(cell_id) for cell_id in cell_ids}
    read = {dataset_key(cell.dataset) for cell in cells.values()}
    checks = [
        check_dataset(dataset.name, key, paths.data, paths.raw / dataset.name, plan.preset)
        for dataset in plan.datasets
        if (key := dataset_key(dataset)) in read
    ]
    wrong = [check for check in (*checks, _check_presence(cells, paths)) if check.outcome != "ok"]
    return [f"Missing: {check.name}: {check.found}\n  fix: {check.fix}" for check in wrong]


def check_dataset(name: str, key: str, data: Path, raw: Path, preset: str) -> Check:
    """Check that a dataset is prepared, or that Snakemake can prepare it: by rendering, or from the files in `raw`."""
    label = f"data {name}"
    folder = data / key
    prepare = f"cenbench data prepare {key} --preset {preset}"
    if not is_prepared(folder):
        if name in RENDERED:
            return Check(label, "ok", "not prepared yet; Snakemake renders it first")
        if holds_raw_files(raw):
            return Check(label, "ok", f"not prepared yet; Snakemake first prepares it from the files in {raw}")
        found = f"neither {folder / MANIFEST} nor official files in {raw}; cells that read it would fail"
        return Check(label, "problem", found, f"put the official files in {raw}, then: {prepare}")
    try:
        files = read_manifest(folder).files
    except UserError as error:
        return Check(label, "problem", str(error.problem), f"move {folder} away, then: {prepare}")
    wrong = [file for file, entry in files.items() if _size(folder / file) != entry.bytes]
    if wrong:
        return Check(label, "problem", f"damaged: {', '.join(wrong)}", f"delete {folder}, then: {prepare}")
    return Check(label, "ok", f"prepared, {sum(entry.bytes for entry in files.values()) / 1e9:.2f} GB")


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


def check_weights(cells: Mapping[str, Cell], paths: Paths) -> Check:
    """Check that the pretrained weights are in place and usable; otherwise count the cells that would be skipped."""
    try:
        for cell in cells.values():
            used_files(cell, paths)
    except UserError as error:
        return Check("weights", "problem", f"{error.where}: {error.problem}", error.fix)
    return _check_presence(cells, paths)


def _check_presence(cells: Mapping[str, Cell], paths: Paths) -> Check:
    """The same without a look into the files, which would note their digests."""
    needed = {cell_id: pretrained_files(cell) for cell_id, cell in cells.items()}
    names = dict.fromkeys(name for files in needed.values() for name in files)
    absent = [name for name in names if not (paths.weights / name).is_file()]
    if not names:
        return Check("weights", "ok", "no cell needs pretrained weights")
    skipped = sum(any(name in absent for name in files) for files in needed.values())
    if skipped:
        found = f"{skipped} of {len(cells)} cells would be skipped; missing: {', '.join(absent)}"
        fix = "cenbench weights list, with this preset, shows where they are published; then: cenbench weights add"
        return Check("weights", "warning", found, fix)
    return Check("weights", "ok", f"{', '.join(names)} in place")


def check_pretraining(plan: Plan, paths: Paths) -> list[Check]:
    """Check the networks that are trained here for others to start from: what Snakemake does about each."""
    return [_check_pretraining(plan, paths, cell_id, len(cells)) for cell_id, cells in plan.pretrainings.items()]


def _check_pretraining(plan: Plan, paths: Paths, cell_id: str, starting: int) -> Check:
    from cenbench.records.read import read_record  # imports NumPy, which most checks do without

    record = read_record(paths, plan.cell(cell_id))
    starts = f"{starting} cells start from it"
    if record.state == "failed":
        fix = f"remove the cause, then: cenbench run '{cell_id}' --preset {plan.preset}"
        return Check("pretraining", "problem", f"{cell_id} failed, and {starts}: {record.reason}", fix)
    found = "trained" if record.state == "ok" else "not trained yet; Snakemake trains it first"
    return Check("pretraining", "ok", f"{cell_id}: {found}; {starts}")


def check_space(plan: Plan, paths: Paths, statvfs: Callable[[Path], os.statvfs_result] = os.statvfs) -> Check:
    """Check that the cells and datasets that are still missing fit on the disk, in bytes and in number of files."""
    place = next(folder for folder in (paths.results, *paths.results.absolute().parents) if folder.exists())
    disk = statvfs(place)
    waiting = [cell for cell in plan.cells.values() if not paths.record(cell).exists()]
    need = needed_bytes(waiting, plan.cost.workers)
    absent = (dataset for dataset in plan.datasets if not is_prepared(paths.data / dataset_key(dataset)))
    need += sum(dataset_bytes(dataset) for dataset in absent)
    free = float(disk.f_bavail) * disk.f_frsize
    said = f"{free / 1e9:,.1f} GB free, about {need / 1e9:,.1f} GB needed for {len(waiting)} cells"
    if free < need:
        return Check("free space", "problem", said, "free space, raise the quota, or run fewer tables at a time")
    if disk.f_files and disk.f_favail < len(waiting) * FILES_PER_CELL:
        files = f"{disk.f_favail:,} files can still be created, {len(waiting) * FILES_PER_CELL:,} are needed"
        return Check("free space", "problem", files, "remove files, or raise the inode quota")
    if free < 2 * need:
        return Check("free space", "warning", said, "free some space: the need is an estimate, good to a factor of two")
    return Check("free space", "ok", f"{said} (user quotas are not checked)")


def needed_bytes(waiting: Iterable[Cell], workers: int) -> float:
    """Bytes of every waiting cell once it is finished, and of the states of the largest ones that run at once."""
    cells = list(waiting)
    running = sorted((state_bytes(cell) for cell in cells), reverse=True)[:workers]
    return sum(finished_bytes(cell) for cell in cells) + sum(running)
