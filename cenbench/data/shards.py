"""Prepare a dataset in worker processes. After an interruption at any point, the same call resumes.

Scenes are written to shards in `<key>.partial/`, each atomically. Once all exist, they are joined into one array per
modality; the manifest is written last, and only then are the shards removed. A `Recipe` provides the scenes: rendered,
or read from the files of a published dataset.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import struct
import threading
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

from cenbench.data.croissant import write_croissant
from cenbench.data.manifest import MANIFEST, FileEntry, split_limits, write_manifest
from cenbench.data.progress import counting, remark
from cenbench.data.recipe import Recipe
from cenbench.data.statistics import LABELS
from cenbench.errors import UserError
from cenbench.files import atomic_path, sha256_file, write_text
from cenbench.work_lock import work_lock

SCENES_PER_SHARD = 8
_FINGERPRINT = "made-from"
_MISSING = {LABELS: "void"}
"""Modality -> word for its missing value, where it has one of its own."""
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, ValueError, KeyError, EOFError, NotImplementedError),
    *(SyntaxError, tokenize.TokenError, MemoryError),  # NumPy parses the header as Python, and believes its shape
)
"""What NumPy raises on a damaged shard."""


def prepare_shards(recipe: Recipe, root: Path, workers: int, progress: bool, *, again: bool = False) -> Path:
    """Prepare `root/<key>` and return it.

    `again`: prepare it again although it is complete. Waits for another process that is preparing it, such as one that
    outlived its controller. Raises `UserError` if the disk is full, for scenes that cannot be made (all in one
    message), for files that change while being read, and for a split without any value of a modality.
    """
    folder = root / recipe.key
    partial = root / f"{folder.name}.partial"
    root.mkdir(parents=True, exist_ok=True)
    with work_lock(root / f"{folder.name}.lock", f"dataset {folder.name}"):
        if (folder / MANIFEST).is_file() and not again:  # the previous holder of the lock finished it
            return folder
        before = recipe.fingerprint() if recipe.fingerprint else None
        _resume_or_restart(partial, before)
        _make_missing(recipe, partial, workers, progress)
        _refuse_changes(recipe, before)
        _refuse_empty(recipe, partial)
        (folder / MANIFEST).unlink(missing_ok=True)  # from here on the folder is neither the old nor the new dataset
        _remove_temporary(folder)
        try:
            files = _join(recipe, partial, folder)
        except _DamagedShards as damaged:  # by a crash or the disk, since an earlier call wrote them
            for path in damaged.paths:
                remark(f"{path} is damaged: its scenes are made again")
                path.unlink()
            _make_missing(recipe, partial, workers, progress)
            _refuse_changes(recipe, before)
            _refuse_empty(recipe, partial)
            files = _join(recipe, partial, folder)
        manifest = recipe.manifest(files)
        write_croissant(folder, manifest)
        write_manifest(folder, manifest)
        remove_shards(folder)
    return folder


def _refuse_changes(recipe: Recipe, before: str | None) -> None:
    if recipe.fingerprint and recipe.fingerprint() != before:
        raise UserError(
            "the raw files changed while they were read",
            where=recipe.key,
            fix="wait until nothing writes to them, then rerun the command: it reads all of them again",
        )


def _refuse_empty(recipe: Recipe, partial: Path) -> None:
    """Raise `UserError` naming every modality of which a whole split is its `missing` value: depth or labels that were
    not read as what they are. Reads each split's shards up to the first with any other value, mostly the first.
    """
    empty = {
        name: [split for split, rows in split_limits(recipe.spec).items() if _is_empty(recipe, partial, name, rows)]
        for name in recipe.modalities
    }
    lines = [
        f"{name}: {recipe.modalities[name].missing}, {_MISSING.get(name, 'missing')}, in every pixel of {split}"
        for name, splits in empty.items()
        for split in splits
    ]
    if lines:
        raise UserError(
            "a whole split has no values of a modality",
            where=recipe.key,
            key=", ".join(name for name, splits in empty.items() if splits),
            found="\n    ".join(lines),
            expected="values in some scene of every split",
            fix="check that the raw files of this modality are the published ones, in the published format and not "
            "placeholders; get them again, then rerun the command",
        )


def _is_empty(recipe: Recipe, partial: Path, name: str, rows: tuple[int, int]) -> bool:
    """Whether these scenes hold only the modality's `missing` value. False if a shard is damaged: `_join` finds it."""
    missing, start, stop = recipe.modalities[name].missing, *rows
    if missing is None or start == stop:
        return False
    for scenes in _shards(recipe):
        first, last = max(start, scenes.start), min(stop, scenes.stop)
        if first < last:
            array = _read_shard(_shard_path(partial, scenes), name)
            if array is None or (array[first - scenes.start : last - scenes.start] != missing).any():
                return False
    return True


def remove_shards(folder: Path) -> None:
    """Remove the shards of a complete dataset, which a process killed after its last write leaves behind."""
    shutil.rmtree(folder.with_name(f"{folder.name}.partial"), ignore_errors=True)


def _resume_or_restart(partial: Path, fingerprint: str | None) -> None:
    """Keep the shards of an interrupted call if they were made from the same files, otherwise remove them."""
    partial.mkdir(exist_ok=True)
    if fingerprint is None:
        return
    note = partial / _FINGERPRINT
    if note.is_file() and note.read_text() == fingerprint:
        return
    if stale := list(partial.glob("scenes-*.npz")):
        remark(f"the raw files changed since {partial.name} was started: starting over")
        for shard in stale:
            shard.unlink()
    write_text(note, fingerprint)


def _remove_temporary(folder: Path) -> None:
    """Remove files that a process killed while joining left half written."""
    for temporary in folder.glob(".*.tmp"):
        temporary.unlink()


def _shards(recipe: Recipe) -> list[range]:
    """Scene numbers of each shard."""
    scenes = len(recipe.scenes)
    return [range(start, min(start + SCENES_PER_SHARD, scenes)) for start in range(0, scenes, SCENES_PER_SHARD)]


def _shard_path(partial: Path, scenes: range) -> Path:
    return partial / f"scenes-{scenes.start:06d}.npz"


def _make_missing(recipe: Recipe, partial: Path, workers: int, progress: bool) -> None:
    todo = [scenes for scenes in _shards(recipe) if not _shard_path(partial, scenes).exists()]
    done = len(recipe.scenes) - sum(len(scenes) for scenes in todo)
    problems: list[UserError] = []
    with counting(f"{recipe.doing} {recipe.key}", done, len(recipe.scenes), progress) as advance:
        if min(workers, len(todo)) <= 1:
            for scenes in todo:
                problems += make_shard(recipe.make, *_job(recipe, partial, scenes))
                advance(len(scenes))
        else:
            problems += _make_in_processes(recipe, partial, todo, workers, advance)
    _refuse(problems)


def _job(recipe: Recipe, partial: Path, scenes: range) -> tuple[Any, ...]:
    return [recipe.scenes[number] for number in scenes], tuple(recipe.modalities), _shard_path(partial, scenes)


def _make_in_processes(
    recipe: Recipe, partial: Path, todo: list[range], workers: int, advance: Callable[[int], None]
) -> list[UserError]:
    problems: list[UserError] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(todo)), mp_context=spawn, initializer=_die_with_parent) as pool:
        jobs = {pool.submit(make_shard, recipe.make, *_job(recipe, partial, scenes)): scenes for scenes in todo}
        try:
            for job in as_completed(jobs):
                problems += job.result()
                advance(len(jobs[job]))
        except BrokenProcessPool as error:
            raise UserError(
                f"a process {recipe.doing} scenes was killed (out of memory?)",
                where=partial,
                fix="rerun the command with fewer --workers: it resumes",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return problems


def _die_with_parent() -> None:
    """End this worker when its parent dies; otherwise it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def make_shard(
    make: Callable[[Any], Mapping[str, np.ndarray]], scenes: list[Any], modalities: tuple[str, ...], path: Path
) -> list[UserError]:
    """Make some scenes and write them to one shard, atomically. Runs in worker processes.

    Returns one error per scene that cannot be made; the shard is then not written, but every scene is tried.
    """
    made, problems = [], []
    for scene in scenes:
        try:
            made.append(make(scene))
        except UserError as error:
            problems.append(error)
    if problems:
        return problems
    arrays = {name: np.stack([scene[name] for scene in made]) for name in modalities}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return []


def _refuse(problems: list[UserError]) -> None:
    """Raise one error for all scenes that cannot be made."""
    if not problems:
        return
    problems.sort(key=str)
    if len(problems) == 1:
        raise problems[0]
    shown = [
        f"{error.problem} ({error.where}): found {error.found}, expected {error.expected}" for error in problems[:20]
    ]
    more = [f"and {len(problems) - 20} more"] if len(problems) > 20 else []
    raise UserError(
        f"{len(problems)} scenes cannot be read",
        found="\n    ".join(["", *shown, *more]),
        fix="\n    ".join(dict.fromkeys(error.fix for error in problems if error.fix)) or None,
    )


class _DamagedShards(UserError):
    """Shards whose bytes are not those that were written."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__(
            f"shards are damaged although they were just written: {', '.join(path.name for path in paths)}",
            where=paths[0].parent,
            fix="check the disk, then rerun the command",
        )
        self.paths = paths


def _join(recipe: Recipe, partial: Path, folder: Path) -> dict[str, FileEntry]:
    """Join the shards into one `.npy` per modality, with no memory map: a full disk then is an error, not a signal.

    Raises `_DamagedShards`, naming every damaged shard of the first modality that has one.
    """
    files = {}
    for name, declared in recipe.modalities.items():
        path = folder / f"{name}.npy"
        header = {"descr": np.dtype(declared.dtype).str, "fortran_order": False, "shape": recipe.shape(name)}
        damaged = []
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for scenes in _shards(recipe):
                shard = _shard_path(partial, scenes)
                array = _read_shard(shard, name)
                if array is None:
                    damaged.append(shard)
                elif not damaged:
                    file.write(_checked(array, (len(scenes), *recipe.shape(name)[1:]), header["descr"]))
            if damaged:
                raise _DamagedShards(damaged)
        files[path.name] = FileEntry(bytes=path.stat().st_size, sha256=sha256_file(path))
    return files


def _read_shard(path: Path, name: str) -> np.ndarray | None:
    """One array of a shard; None if the shard is damaged (its members have checksums)."""
    try:
        with np.load(path, allow_pickle=False) as shard:
            array: np.ndarray = shard[name]
            return array
    except _DAMAGED:
        return None


def _checked(array: np.ndarray, shape: tuple[int, ...], descr: object) -> bytes:
    """Bytes of a shard's array. One that differs from its declaration is a bug of ours and must not reach the disk."""
    if array.shape != shape or array.dtype.str != descr:
        raise AssertionError(f"a shard holds {array.shape} {array.dtype.str}, declared {shape} {descr}")
    return array.tobytes()
