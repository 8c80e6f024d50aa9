"""Open a file that should be a regular one. What the file system refuses, or what is none, is a `UserError` naming it.

Missing, unreadable and damaged are three things: only the last two tell nothing, or something, about the contents.
"""
# changes no number: bytes are read as they are, or refused

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TypeGuard

from cenbench.errors import UserError

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_FIXES = {
    errno.EACCES: "make it accessible for this user (ls -l shows its mode)",
    errno.EPERM: "make it accessible for this user (ls -l shows its mode)",
    errno.ENOENT: "put it back, then rerun the command",
    errno.EISDIR: "replace the folder by the file of this name",
    errno.ENOTDIR: "replace the file by the folder of this name",
    errno.ELOOP: "remove the link that leads to itself",
    errno.EMFILE: "raise the limit of open files (ulimit -n), then rerun the command",
    errno.ENOSPC: "free space, then rerun the command",
    errno.EDQUOT: "free space or raise the quota, then rerun the command",
    errno.ENAMETOOLONG: "use a shorter name, or a folder nearer to the root",
    errno.EROFS: "make the file system writable, or work in a folder on another one (--root)",
}


class Missing(UserError):
    """There is no such file."""


class Unreadable(UserError):
    """The file system does not give a file: nothing is known of its contents."""


def is_system_error(error: BaseException) -> TypeGuard[OSError]:
    """Whether the file system refused. Libraries raise an OSError without errno for contents they cannot parse."""
    return isinstance(error, OSError) and error.errno is not None


def unreadable(path: Path, error: OSError) -> Unreadable:
    """The error for a file or folder that the file system does not give, for whatever reason."""
    reason = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'unknown error')})"
    known = _FIXES.get(error.errno or 0, "check the disk, mount or network file system, then rerun the command")
    return Unreadable(f"{path.name} cannot be accessed: {reason}", where=path, found=reason, fix=known)


@contextmanager
def open_regular(path: Path, *, fix: str | None = None) -> Iterator[BufferedReader]:
    """Open a regular file for reading; never waits on a pipe. Errors of reading inside the block are converted too.

    Raises `Missing`, `Unreadable`, or `UserError` for what is not a regular file. `fix` is what to do about a file that
    is missing or no file; what the file system refuses has a fix of its own.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(mode := os.fstat(handle).st_mode):
                raise _not_regular(path, mode, fix)
        except BaseException:
            os.close(handle)
            raise
        with os.fdopen(handle, "rb") as file:
            yield file
    except FileNotFoundError as error:
        raise _broken_link(path) or Missing(f"{path.name} is missing", where=path, fix=fix) from error
    except IsADirectoryError:
        raise _not_regular(path, stat.S_IFDIR, fix) from None
    except OSError as error:
        raise unreadable(path, error) from error


def read_regular(path: Path, largest_bytes: int, *, fix: str | None = None) -> bytes:
    """The bytes of a regular file of at most `largest_bytes`. `UserError` otherwise; see `open_regular`."""
    with open_regular(path, fix=fix) as file:
        size = check_size(file, path, largest_bytes, fix=fix)
        try:
            return file.read(size)  # not to its end, which moves while something writes to it
        except MemoryError as error:
            raise UserError(f"{path.name} does not fit into memory", where=path, found=f"{size:,} bytes") from error


def check_size(file: BufferedReader, path: Path, largest_bytes: int, *, fix: str | None = None) -> int:
    """The size of the open file; `UserError` if it is larger than `largest_bytes`, as a sparse file easily is."""
    if (size := os.fstat(file.fileno()).st_size) > largest_bytes:
        found, expected = f"{size:,} bytes", f"at most {largest_bytes:,} bytes"
        raise UserError(f"{path.name} is too large", where=path, found=found, expected=expected, fix=fix)
    return size


def not_utf8(path: Path, error: UnicodeDecodeError, *, fix: str | None = None) -> UserError:
    """The error for a file whose bytes are not UTF-8 text, with the line of the first that is not."""
    line = 1 + error.object[: error.start].count(b"\n")
    return UserError("this file is not UTF-8 text", where=path, key=f"line {line}", fix=fix)


def kind_of(path: Path) -> int | None:
    """The type of what lies there (`stat.S_IFREG`, ...), links followed; None if there is nothing.

    Raises `Missing` for a link that leads nowhere, also in a folder above, and `Unreadable` for one that leads to
    itself: neither is the same as nothing.
    """
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        if broken := _broken_link(path):
            raise broken from None
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def _broken_link(path: Path) -> Missing | None:
    """The error for the link in a path that leads nowhere; None if there is none."""
    for place in (path, *path.parents):
        if place.is_symlink() and not is_there(place):
            return Missing(
                f"{path.name} is missing: {place.name} is a link that leads nowhere", where=place,
                found=f"a link to {place.readlink()}", fix="put back what it leads to, or replace the link",
            )  # fmt: skip
        if is_there(place):
            return None
    return None


def is_there(path: Path) -> bool:
    """Whether there is something of that name; False where the file system does not tell. `Path.exists` may raise."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether there is a regular file of that name; False where the file system does not tell."""
    return os.path.isfile(path)  # noqa: PTH113


def _not_regular(path: Path, mode: int, fix: str | None) -> UserError:
    found = next((name for is_kind, name in _KINDS if is_kind(mode)), "a special file")
    return UserError(f"{path.name} is not a regular file", where=path, found=found, expected="a file", fix=fix)
