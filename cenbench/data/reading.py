"""Read files so that unreadable ones are told apart from damaged ones: only the latter have to be fetched again."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cenbench.errors import UserError
from cenbench.regular_file import is_system_error, kind_of, read_regular, unreadable

MOST_BYTES = 2**28
"""More than any file of one sample, list or table has that is read whole."""
EXCLUDE = "exclude.txt"
"""In a raw folder: samples to leave out, one per line, `ID` or `ID reason`."""
GET_AGAIN = (
    "get the file again as published, then rerun the command: it resumes; "
    f"to do without its sample, name that in {EXCLUDE} in the raw folder (docs/datasets.md)"
)


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


def is_data_file(path: Path) -> bool:
    """Whether there is a file. A link that leads nowhere or to itself is an error: see `kind_of`."""
    return kind_of(path) == stat.S_IFREG


def is_data_folder(path: Path) -> bool:
    """Whether there is a folder, as `is_data_file`."""
    return kind_of(path) == stat.S_IFDIR


def read_bytes(path: Path, *, fix: str = GET_AGAIN) -> bytes:
    """The bytes of a regular file of at most `MOST_BYTES`; never waits on a pipe.

    Raises `UserError`, with this `fix` if the file is missing or implausible, and `Unreadable`.
    """
    return read_regular(path, MOST_BYTES, fix=fix)


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
