"""Results that no preset asks for: found, and removed unless a process is at work on them. Torch-free.

Every changed parameter gives a cell a new id and leaves the old one's files behind. Only names that this program gives
are looked at, and only in its own folders; official files and weights are in none of them.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open

from cenbench.data.manifest import manifest_digest
from cenbench.errors import UserError
from cenbench.file_lock import file_lock
from cenbench.files import REPLACED
from cenbench.matrix.plan import load_plan
from cenbench.matrix.preset import preset_names
from cenbench.matrix.specs import dataset_key
from cenbench.paths import PUBLISHING, Paths
from cenbench.run.heartbeat import read_beat
from cenbench.run.lock import LOCK
from cenbench.schedule.controller_lock import controller_elsewhere, controller_file

Kind = Literal["cell", "robustness", "corollary", "state", "log", "page", "dataset", "features", "unfinished removal"]
_CELL = re.compile(r"[a-z_+]+-to-[a-z_]+\..+\.s[0-9]+\.[0-9a-f]{10}")
_DATASET = re.compile(r"[a-z0-9][a-z0-9_.-]*-[0-9]+(x[0-9]+)?px-[0-9a-f]{10}")
_FEATURES = re.compile(r"[0-9a-f]{16}\.safetensors")
_REMOVED = ".pruned."
"""Prefix of what is being removed: renamed first, so that nothing reads half of it."""


@dataclass(frozen=True)
class Wanted:
    """What the presets ask for."""

    cells: frozenset[str]
    trainings: frozenset[str]
    datasets: frozenset[str]
    """Keys of datasets."""


@dataclass(frozen=True)
class Leftover:
    """A file or folder that no preset asks for."""

    kind: Kind
    path: Path
    bytes: int
    kept: str | None = None
    """Why it is not removed; None if it may be."""
    failed: bool = False
    """Whether it is kept because of an error."""


def wanted_by(params: Path, presets: Sequence[str] = ()) -> Wanted:
    """What these presets ask for, by default all of them.

    Raises `UserError` if one of them is invalid, since what it asks for is then unknown.
    """
    names = presets or preset_names(params)
    if not names:
        raise UserError("there is no preset, so nothing is asked for", where=params / "presets")
    plans = [load_plan(params, name) for name in names]
    cells = {cell_id: cell for plan in plans for cell_id, cell in plan.cells.items()}
    keys = frozenset(dataset_key(spec) for plan in plans for spec in plan.datasets)
    return Wanted(frozenset(cells), frozenset(cell.training_id for cell in cells.values()), keys)


def find_leftovers(paths: Paths, wanted: Wanted) -> list[Leftover]:
    """Everything that no preset asks for, by kind and name; folders that cannot be read are listed as kept."""
    found = [
        *_unwanted("cell", paths.cells, _CELL, wanted.cells),
        *_unwanted("robustness", paths.robustness_scores, _CELL, wanted.cells, ".json"),
        *_unwanted("corollary", paths.corollary_results, _CELL, wanted.cells, ".json"),
        *_unwanted("state", paths.states, _CELL, wanted.trainings),
        *_unwanted("log", paths.logs, _CELL, wanted.cells, ".log"),
        *_unwanted("log", paths.logs, _CELL, wanted.cells, ".robustness.log"),
        *_unwanted("log", paths.logs, _CELL, wanted.cells, ".corollary.log"),
        *_unwanted("log", paths.logs, _DATASET, wanted.datasets, ".log", "dataset."),
    ]
    for folder in sorted(paths.reports.glob("*/cells")):
        found += _unwanted("page", folder, _CELL, wanted.cells, ".html")
    for suffix in (PUBLISHING, REPLACED):
        found += _unwanted("cell", paths.cells, _CELL, wanted.cells, suffix)
    found += _unwanted("dataset", paths.data, _DATASET, wanted.datasets)
    found += _unwanted("dataset", paths.data, _DATASET, wanted.datasets, ".partial")
    found += _unwanted_features(paths, wanted)
    for folder in (paths.cells, paths.states, paths.data):
        entries, _ = _entries(folder)
        interrupted = (entry for entry in entries if entry.name.startswith(_REMOVED))
        found += [_leftover("unfinished removal", Path(entry.path)) for entry in interrupted]
    trainings = _trainings(paths)
    return [replace(one, kept=one.kept or _busy(trainings, one)) for one in found]


def remove(paths: Paths, leftovers: Iterable[Leftover]) -> list[Leftover]:
    """Remove those that are not kept; returns all of them, with the reason of each that is still there.

    Raises `UserError` while Snakemake is running here: it may need what the presets of a moment ago asked for.
    """
    if held := _held(controller_file(paths.root)) or controller_elsewhere(paths.root):
        raise UserError("Snakemake is running here", where=paths.root, found=held, fix="rerun this when it has ended")
    trainings = _trainings(paths)
    return [_removed(trainings, one) if one.kept is None else one for one in leftovers]


def _unwanted(
    kind: Kind, folder: Path, name: re.Pattern[str], wanted: frozenset[str], suffix: str = "", prefix: str = ""
) -> Iterator[Leftover]:
    """Entries `prefix + name + suffix` of the folder whose name is not wanted."""
    entries, error = _entries(folder)
    if error is not None:
        yield Leftover(kind, folder, 0, f"cannot be read: {error}", failed=True)
    for entry in entries:
        if not entry.name.startswith(prefix) or not entry.name.endswith(suffix):
            continue
        inner = entry.name.removeprefix(prefix).removesuffix(suffix)
        if name.fullmatch(inner) and inner not in wanted:
            yield _leftover(kind, Path(entry.path))


def _unwanted_features(paths: Paths, wanted: Wanted) -> Iterator[Leftover]:
    """Cached features of datasets that are not wanted, or no longer here: they are computed again when needed."""
    digests = {_manifest_digest(paths.data / key) for key in wanted.datasets} - {None}
    for one in _unwanted("features", paths.features, _FEATURES, frozenset()):
        if one.kept is not None or _dataset_of_features(one.path) not in digests:
            yield one


def _manifest_digest(folder: Path) -> str | None:
    try:
        return manifest_digest(folder)
    except (OSError, UserError):
        return None


def _dataset_of_features(path: Path) -> str | None:
    """Digest of the dataset that a file of features names in its header; None if it names none."""
    try:
        with safe_open(path, framework="np") as file:
            return str(file.metadata()["dataset"])
    except (OSError, SafetensorError, KeyError, TypeError):
        return None


def _entries(folder: Path) -> tuple[list[os.DirEntry[str]], str | None]:
    """The entries of a folder by name, none for one that is absent; and why it cannot be read, if so."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name), None
    except FileNotFoundError:
        return [], None
    except OSError as error:
        return [], error.strerror


def _leftover(kind: Kind, path: Path) -> Leftover:
    if path.is_symlink():
        return Leftover(kind, path, 0, "a link: remove it, and what it points to, yourself")
    unreadable: list[OSError] = []
    size = _size(path, unreadable.append)
    if unreadable:
        return Leftover(kind, path, size, f"cannot be read: {unreadable[0].strerror}", failed=True)
    return Leftover(kind, path, size)


def _size(path: Path, onerror: Callable[[OSError], None]) -> int:
    """Bytes of a file or of all files below a folder; links are not followed and count nothing."""
    try:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            return status.st_size
        files = (Path(folder, name) for folder, _, names in os.walk(path, onerror=onerror) for name in names)
        return sum(status.st_size for file in files if not stat.S_ISLNK((status := file.lstat()).st_mode))
    except FileNotFoundError:  # removed meanwhile
        return 0
    except OSError as error:
        onerror(error)
        return 0


def _slug(name: str) -> str:
    """The readable part of an id, which a cell shares with its training."""
    return name.rpartition(".")[0]


def _without_suffix(name: str) -> str:
    for suffix in (".robustness.log", ".corollary.log", ".log", ".html", ".json", PUBLISHING, REPLACED):
        name = name.removesuffix(suffix)
    return name


def _trainings(paths: Paths) -> Mapping[str, list[Path]]:
    """Readable part of an id -> the state folders of such trainings, which hold lock and heartbeat."""
    folders: dict[str, list[Path]] = {}
    for entry in _entries(paths.states)[0]:
        folders.setdefault(_slug(entry.name), []).append(Path(entry.path))
    return folders


def _busy(trainings: Mapping[str, list[Path]], leftover: Leftover) -> str | None:
    """The process that is at work on it, in words; None if there is none."""
    path = leftover.path
    if leftover.kind == "dataset":
        return _held(path.with_name(path.name.removesuffix(".partial") + ".lock"))
    if leftover.kind == "features":
        return _held(path.with_suffix(".lock"))
    if leftover.kind in ("cell", "robustness", "corollary", "state", "log", "page"):
        folders = trainings.get(_slug(_without_suffix(path.name)), ())
        return next((why for folder in folders if (why := _at_work(folder)) is not None), None)
    return None


def _at_work(state: Path) -> str | None:
    beat = read_beat(state)
    return f"running: {beat.who}" if beat and beat.is_at_work(state, time.time()) else _held(state / LOCK)


def _held(lock: Path) -> str | None:
    """Why a lock may be held; None if it is free, or absent."""
    try:
        if lock.is_file():
            with file_lock(lock, wait=False):
                pass
    except BlockingIOError:
        return f"another process holds {lock.name}"
    except (OSError, UserError) as error:
        return f"{lock.name} cannot be checked: {error}"
    return None


def _removed(trainings: Mapping[str, list[Path]], leftover: Leftover) -> Leftover:
    """Remove one; returns it, with the reason if it is still there. Looks once more for a process at work on it."""
    if (busy := _busy(trainings, leftover)) is not None:
        return replace(leftover, kept=busy)
    path = leftover.path
    renamed = path.is_dir() and leftover.kind != "unfinished removal"
    going = path.with_name(_REMOVED + path.name) if renamed else path
    try:
        with ExitStack() as stack:
            if leftover.kind == "state" and (path / LOCK).is_file():
                stack.enter_context(file_lock(path / LOCK, wait=False))
            if renamed:
                path.rename(going)
        if going.is_symlink() or not going.is_dir():
            going.unlink()
        else:
            shutil.rmtree(going)
    except FileNotFoundError:
        return leftover  # removed by another
    except BlockingIOError:
        return replace(leftover, kept="another process holds lock")
    except (OSError, UserError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return replace(leftover, kept=f"cannot be removed: {reason}", failed=True)
    return leftover
