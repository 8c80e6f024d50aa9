"""Read files so that unreadable ones are told apart from damaged ones: only the latter have to be fetched again."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

from cenbench.errors import UserError

MOST_BYTES = 2**28
"""More than any file of one sample, list or table has that is read whole."""
EXCLUDE = "exclude.txt"
"""In a raw folder: samples to leave out, one per line, `ID` or `ID reason`."""
GET_AGAIN = (
    "get the file again as published, then rerun the command: it resumes; "
    f"to do without its sample, name that in {EXCLUDE} in the raw folder (docs/datasets.md)"
)
_FIXES = {
    errno.EACCES: "make it readable for this user (ls -l shows its mode)",
    errno.EPERM: "make it readable for this user (ls -l shows its mode)",
    errno.ENOENT: "put it back, then rerun the command",
    errno.EISDIR: "replace the folder by the file of this name",
    errno.ENOTDIR: "replace the file by the folder of this name",
    errno.ELOOP: "remove the link that leads to itself",
    errno.EMFILE: "raise the limit of open files (ulimit -n), then rerun the command",
    errno.EROFS: "make the file system writable, or prepare elsewhere with --root",
}


def is_system_error(error: BaseException) -> TypeGuard[OSError]:
    """Whether the file system refused. Libraries raise an OSError without errno for contents they cannot parse."""
    return isinstance(error, OSError) and error.errno is not None


class Unreadable(UserError):
    """The file system does not give a file: nothing is known of its contents."""


def unreadable(path: Path, error: OSError) -> Unreadable:
    """The error for a file or folder that the file system does not give, for whatever reason."""
    reason = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'unknown error')})"
    known = _FIXES.get(error.errno or 0, "check the disk, mount or network file system, then rerun the command")
    return Unreadable(f"{path.name} cannot be accessed: {reason}", where=path, found=reason, fix=known)


@contextmanager
def file_system_errors(path: Path) -> Iterator[None]:
    """Turn errors of the file system inside the block into a `UserError`; `path` is named if the error names none."""
    try:
        yield
    except OSError as error:
        if not is_system_error(error):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fix = "free space (or raise the quota), then rerun the command"
            raise UserError(f"no room to write: {error.strerror}", where=error.filename or path, fix=fix) from error
        named = error.filename if isinstance(error.filename, str) else None
        raise unreadable(Path(named) if named else path, error) from error


def read_bytes(path: Path, *, fix: str = GET_AGAIN) -> bytes:
    """The bytes of a regular file of at most `MOST_BYTES`; never waits on a pipe.

    Raises `UserError`, with this `fix` if the file is missing or implausible, and `Unreadable`.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path.name} is not a regular file", where=path, fix=fix)
        if status.st_size > MOST_BYTES:
            found, expected = f"{status.st_size:,} bytes", f"at most {MOST_BYTES:,} bytes"
            raise UserError(f"{path.name} is too large", where=path, found=found, expected=expected, fix=fix)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is missing", where=path, fix=fix) from error
    except OSError as error:
        raise unreadable(path, error) from error


def read_lines(path: Path, *, fix: str) -> list[tuple[int, str]]:
    """(number, text) of every line that is not blank, stripped; with or without byte order mark, any line ends."""
    try:
        text = read_bytes(path, fix=fix).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"the list {path.name} is not UTF-8 text", where=path, found=str(error), fix=fix) from error
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    return [(number, line) for number, line in lines if line]


def files_below(folder: Path) -> Iterator[str]:
    """Path, relative to the folder and with slashes, of every file below it, sorted by folder; links are followed.

    A folder that is reached twice through links is read once. Raises `Unreadable` for a folder that cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise unreadable(Path(error.filename or folder), error) from error

    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        for name in sorted(files):
            yield Path(place, name).relative_to(folder).as_posix()
