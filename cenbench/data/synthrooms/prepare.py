"""Render a synthetic dataset with some processes. Interrupted at any point, the same call continues.

Scenes go to shards in `<key>.partial/`, each written atomically. When all are there, they are joined into one array
a modality; the manifest is written last, and only then the shards go.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cenbench.data.manifest import MANIFEST, FileEntry, Manifest, ModalityEntry, dataset_key, write_manifest
from cenbench.data.synthrooms.parts import CLASSES
from cenbench.data.synthrooms.progress import counting
from cenbench.data.synthrooms.scene import GRADIENT_RANGE, render_scene
from cenbench.errors import UserError
from cenbench.files import atomic_path, sha256_file
from cenbench.matrix.specs import DatasetSpec

SCENES_A_SHARD = 8
VERSION = 1
_DEPTH_RANGE = (1, 65535)
# name: dtype, channels, unit, range, missing
_MODALITIES: dict[str, tuple[str, int, str, tuple[int, int], int | None]] = {
    "rgb": ("uint8", 3, "sRGB colour", (0, 255), None),
    "depth_euclidean": ("uint16", 1, "1/512 m along the viewing ray, as a depth sensor sees it", _DEPTH_RANGE, 0),
    "depth_zbuffer": ("uint16", 1, "1/512 m along the optical axis, as a depth sensor sees it", _DEPTH_RANGE, 0),
    "normal": ("uint8", 3, "127.5 + 127.5 n; axes right, up, towards the viewer", (0, 255), None),
    "shade": ("uint8", 1, "0.1 + 0.9 cos to a fixed light, times 255", (0, 255), None),
    "texture": ("uint16", 1, "Sobel magnitude of gray rgb, full scale 0.35 a pixel", GRADIENT_RANGE, None),
    "edge": (
        "uint16",
        1,
        "Sobel magnitude of sqrt(clean distance in m), full scale 0.25 a pixel",
        GRADIENT_RANGE,
        None,
    ),
    "semantic": ("uint8", 1, "class number", (0, len(CLASSES) - 1), 255),
}


def prepare_synthrooms(spec: DatasetSpec, root: Path, workers: int, progress: bool) -> Path:
    """Make `root/<key>` complete and return it. `UserError`: another process is at it, no room, unknown version."""
    if spec.version != VERSION:
        raise UserError("this renderer does not make that version", key="version", found=spec.version, expected=VERSION)
    folder = root / dataset_key(spec)
    partial = root / f"{folder.name}.partial"
    root.mkdir(parents=True, exist_ok=True)
    with _lock(root / f"{folder.name}.lock"):
        if (folder / MANIFEST).is_file():  # whoever held the lock before has finished it
            return folder
        partial.mkdir(exist_ok=True)
        _remove_stale(folder)
        _render_missing(spec, partial, workers, progress)
        files = _join(spec, partial, folder)
        write_manifest(folder, _manifest(spec, files))
        shutil.rmtree(partial, ignore_errors=True)
    return folder


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Held while preparing; the system lets go of it when the process dies, however it dies."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"dataset {path.stem} is being prepared by another process", where=path, mend="wait until it is done"
            ) from error
        yield


def _remove_stale(folder: Path) -> None:
    """Take away what a process killed while joining left half written."""
    for temporary in folder.glob(".*.tmp"):
        temporary.unlink()


def _shards(spec: DatasetSpec) -> list[range]:
    scenes = spec.train_scenes + spec.val_scenes
    return [range(start, min(start + SCENES_A_SHARD, scenes)) for start in range(0, scenes, SCENES_A_SHARD)]


def _shard_path(partial: Path, scenes: range) -> Path:
    return partial / f"scenes-{scenes.start:06d}.npz"


def _render_missing(spec: DatasetSpec, partial: Path, workers: int, progress: bool) -> None:
    todo = [scenes for scenes in _shards(spec) if not _shard_path(partial, scenes).exists()]
    total = spec.train_scenes + spec.val_scenes
    done = total - sum(len(scenes) for scenes in todo)
    with counting(f"rendering {dataset_key(spec)}", done, total, progress) as advance:
        if min(workers, len(todo)) <= 1:
            for scenes in todo:
                render_shard(spec, scenes, partial)
                advance(len(scenes))
        else:
            _render_in_processes(spec, partial, todo, workers, advance)


def _render_in_processes(
    spec: DatasetSpec, partial: Path, todo: list[range], workers: int, advance: Callable[[int], None]
) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(todo)), mp_context=spawn, initializer=_die_with_parent) as pool:
        jobs = {pool.submit(render_shard, spec, scenes, partial): scenes for scenes in todo}
        try:
            for job in as_completed(jobs):
                job.result()
                advance(len(jobs[job]))
        except BrokenProcessPool as error:
            raise UserError(
                "a rendering process was ended from outside (out of memory?)",
                where=partial,
                mend="run the same command again with fewer --workers: it continues where it was",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _die_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever: end it instead."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def render_shard(spec: DatasetSpec, scenes: range, partial: Path) -> None:
    """Render some scenes into one shard, atomically. Runs in the worker processes."""
    rendered = [render_scene(spec, index) for index in scenes]
    arrays = {name: np.stack([scene[name] for scene in rendered]) for name in _MODALITIES}
    with atomic_path(_shard_path(partial, scenes)) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _join(spec: DatasetSpec, partial: Path, folder: Path) -> dict[str, FileEntry]:
    """One `.npy` a modality. Written, not mapped: a full disk is then an error, not a signal."""
    files = {}
    for name, (dtype, *_) in _MODALITIES.items():
        path = folder / f"{name}.npy"
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": _shape(spec, name)}
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for scenes in _shards(spec):
                with np.load(_shard_path(partial, scenes), allow_pickle=False) as shard:
                    file.write(shard[name].tobytes())
        files[path.name] = FileEntry(bytes=path.stat().st_size, sha256=sha256_file(path))
    return files


def _shape(spec: DatasetSpec, modality: str) -> tuple[int, ...]:
    channels = _MODALITIES[modality][1]
    scenes = spec.train_scenes + spec.val_scenes
    return (scenes, *spec.shape_px, channels) if channels > 1 else (scenes, *spec.shape_px)


def _manifest(spec: DatasetSpec, files: dict[str, FileEntry]) -> Manifest:
    modalities = {
        name: ModalityEntry.model_validate(
            {
                "file": f"{name}.npy", "dtype": dtype, "shape": _shape(spec, name), "unit": unit, "range": limits,
                "missing": missing,
            }
        )
        for name, (dtype, _, unit, limits, missing) in _MODALITIES.items()
    }  # fmt: skip
    return Manifest(
        name=spec.name,
        version=spec.version,
        spec=spec,
        size_px=spec.shape_px,
        splits={"train": (0, spec.train_scenes), "val": (spec.train_scenes, spec.train_scenes + spec.val_scenes)},
        modalities=modalities,
        classes=CLASSES,
        files=files,
        licence="CC0-1.0: made by this program, free of rights",
        citation="Synthetic rooms of cenbench; stand-in data, not comparable with any published dataset",
    )
