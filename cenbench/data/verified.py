"""Every byte of a dataset is read before anything trains on it, once: then a file that was not touched is trusted.

Not touched means the same inode, size, and times of change of content and of the inode itself, which no program sets
back. What a disk changes by itself has no such trace: `cenbench data verify` reads everything, always.
"""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path

from cenbench.data.manifest import MANIFEST
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.files import read_json, room_to_write, write_json

log = logging.getLogger("cenbench")
SET_ASIDE = "manifest.damaged.json"


def open_whole(folder: Path, notes: Path) -> Prepared:
    """Open a prepared dataset in which every byte is as it was written; see `verify_once`.

    One with a file missing or cut short is set aside as one with a flipped bit is. `UserError` for either.
    """
    try:
        prepared = Prepared.open(folder)
    except UserError as error:
        error.fix = _set_aside(folder) or error.fix
        raise
    verify_once(prepared, notes)
    return prepared


def verify_once(prepared: Prepared, notes: Path) -> None:
    """Check every file against the manifest, unless `notes` says that this very file was found whole before.

    Cells that start at once wait for the first. A damaged dataset raises `UserError` naming the file, and its manifest
    is set aside: nothing reads the dataset any more, and the same command prepares it again.
    """
    note = notes / f"{prepared.folder.name}.json"
    with room_to_write(note):
        notes.mkdir(parents=True, exist_ok=True)
    with note.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = _state(prepared)
        if note.exists() and _known(note) == state:
            return
        log.info("checking every byte of %s, once", prepared.folder)
        try:
            prepared.verify()
        except UserError as error:
            error.fix = _set_aside(prepared.folder) or error.fix
            raise
        if (left := prepared.folder / SET_ASIDE).exists():
            left.unlink()
        write_json(note, state)


def _set_aside(folder: Path) -> str | None:
    """Take the manifest away, so that the dataset counts as not prepared; what fixes it then. None: not ours to do."""
    try:
        (folder / MANIFEST).rename(folder / SET_ASIDE)
    except OSError:  # shared by many, and read-only here
        return None
    return f"run the same command again: it prepares the dataset anew ({MANIFEST} is now {SET_ASIDE})"


def _known(note: Path) -> object:
    try:
        return read_json(note)
    except UserError:
        return None  # a damaged note says nothing


def _state(prepared: Prepared) -> dict[str, object]:
    """What has to be as it was, for a file to be trusted unread."""
    files = {}
    for name in prepared.manifest.files:
        stat = (prepared.folder / name).stat()
        files[name] = [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    return {"manifest": prepared.digest, "files": files}
