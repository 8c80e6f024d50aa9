"""The SHA-256 of large files, each read once: until a file is touched, the digest of the last read stands for it.

Touched means that its inode, size, mtime or ctime differs; no program sets a ctime back. Bits that a disk flips by
itself leave no such trace: `cenbench data verify` reads everything, always.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import read_json_object, sha256_file, write_json
from cenbench.regular_file import unreadable
from cenbench.work_lock import work_lock

log = logging.getLogger("cenbench")


def cached_sha256(path: Path, notes: Path) -> str:
    """SHA-256 (hex) of the file, from a note in `notes` if the file was not touched since; else it is read and noted.

    Snakemake asks at every start, for every cell. Processes that ask at once wait for the first to read the file. If no
    note can be written (somebody else's checkout, a full disk), the file is read each time.
    """
    note = _note(path, notes)
    if known := _noted(note, path):
        return known
    with _one_reader(note.with_suffix(".lock"), path):
        return _noted(note, path) or _read(path, note)


def known_sha256(path: Path, notes: Path) -> str | None:
    """The digest in the note, if the file was not touched since; None without one. Writes nothing."""
    return _noted(_note(path, notes), path)


def _note(path: Path, notes: Path) -> Path:
    return notes / f"{path.parent.name}.{path.name}.json"


def _read(path: Path, note: Path) -> str:
    log.info("reading %s whole, for its SHA-256", path)
    try:
        state = file_state(path)  # taken first: if the file changes during the read, the note does not match it
    except OSError as error:
        raise unreadable(path, error) from error
    sha256 = sha256_file(path)
    with suppress(OSError, UserError):
        write_json(note, {"state": state, "sha256": sha256})
    return sha256


def file_state(path: Path) -> tuple[int, int, int, int]:
    """What differs once a file was touched. The ctime comes last: no program sets it back. OSError if it is absent."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _noted(note: Path, path: Path) -> str | None:
    """The digest in the note, if it was taken of the file as it is now; None for an absent or damaged note."""
    try:
        known, state = read_json_object(note), list(file_state(path))
    except (UserError, OSError):
        return None
    sha256 = known.get("sha256")
    whole = isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256)
    return str(sha256) if whole and known.get("state") == state else None


@contextmanager
def _one_reader(lock: Path, path: Path) -> Iterator[None]:
    """Hold the lock of the file's digest; without one where it cannot be made."""
    with ExitStack() as stack:
        with suppress(OSError, UserError):
            stack.enter_context(work_lock(lock, f"the SHA-256 of {path}"))
        yield
