"""Files that cannot be read are told apart from damaged ones: only the latter have to be fetched again."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cenbench.errors import UserError

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


def is_system_error(error: BaseException) -> bool:
    """Whether the file system refused. Libraries raise an OSError without errno for contents they cannot parse."""
    return isinstance(error, OSError) and error.errno is not None


def unreadable(path: Path, error: OSError) -> UserError:
    """The error for a file or folder that the file system does not give, for whatever reason."""
    reason = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'unknown error')})"
    known = _FIXES.get(error.errno or 0, "check the disk, mount or network file system, then rerun the command")
    return UserError(f"{path.name} cannot be accessed: {reason}", where=path, found=reason, fix=known)


@contextmanager
def file_system_errors(path: Path) -> Iterator[None]:
    """Turn errors of the file system inside the block into a `UserError`; `path` is named if the error names none."""
    try:
        yield
    except OSError as error:
        if not is_system_error(error):
            raise
        named = error.filename if isinstance(error.filename, str) else None
        raise unreadable(Path(named) if named else path, error) from error
