"""The SHA-256 of a large file, read whole once: as long as nothing has touched it, what was found then is believed."""

from __future__ import annotations

import fcntl
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import read_json, sha256_file, write_json


def remembered_sha256(path: Path, notes: Path) -> str:
    """SHA-256 (hex) of the file; a note of it is kept in `notes` under the file's inode, size and times of change.

    Every start of Snakemake asks, for every cell: reading some hundred megabytes each time would be felt. Processes
    that ask at once wait for the first.
    """
    note = notes / f"{path.name}.json"
    notes.mkdir(parents=True, exist_ok=True)
    with note.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stat = path.stat()
        state = [str(path.resolve()), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        known = _known(note)
        if known.get("state") == state and isinstance(known.get("sha256"), str):
            return str(known["sha256"])
        sha256 = sha256_file(path)
        write_json(note, {"state": state, "sha256": sha256})
        return sha256


def _known(note: Path) -> dict[str, object]:
    try:
        return dict(read_json(note))
    except (UserError, TypeError, ValueError):
        return {}  # absent or damaged: the file is read again
