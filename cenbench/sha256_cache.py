"""The SHA-256 of a large file, read whole once: as long as nothing has touched it, what was found then is believed."""

from __future__ import annotations

import fcntl
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import read_json, sha256_file, write_json


def cached_sha256(path: Path, notes: Path) -> str:
    """SHA-256 (hex) of the file; a note of it is kept in `notes` under the file's inode, size and times of change.

    Every start of Snakemake asks, for every cell: reading some hundred megabytes each time would be felt. Processes
    that ask at once wait for the first. Where no note can be written (another's checkout, a full disk), none is.
    """
    note = notes / f"{path.name}.json"
    if known := _known(note, path):
        return known
    try:
        notes.mkdir(parents=True, exist_ok=True)
        with note.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _known(note, path) or _noted(path, note)
    except (OSError, UserError):
        return sha256_file(path)


def _noted(path: Path, note: Path) -> str:
    state = _state(path)  # of before: a change while it is read leaves a note that holds no longer
    sha256 = sha256_file(path)
    write_json(note, {"state": state, "sha256": sha256})
    return sha256


def _state(path: Path) -> list[str | int]:
    stat = path.stat()
    return [str(path.resolve()), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _known(note: Path, path: Path) -> str | None:
    """The SHA-256 in a note that is of this very file; an absent or damaged note says nothing."""
    try:
        known = dict(read_json(note))
    except (OSError, UserError, TypeError, ValueError):
        return None
    return str(known["sha256"]) if known.get("state") == _state(path) and "sha256" in known else None
