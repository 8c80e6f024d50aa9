"""An exclusive lock on a file, held for a whole block; the kernel releases it however the process ends."""
# changes no number: who may write when

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cenbench.errors import UserError
from cenbench.files import room_to_write


@contextmanager
def file_lock(path: Path, *, wait: bool = True) -> Iterator[BinaryIO]:
    """Hold an flock on `path` until the block ends; yields the open file (readable, unbuffered, appends).

    The file is created if it is absent and never removed: a process that waits has it open. Its content is the
    holder's. If another process holds the lock, wait for it, or raise `BlockingIOError` without `wait`.
    Raises `UserError` for a file system that does not support locks, or has no room for the file.
    """
    with room_to_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError as error:
            raise UserError(
                f"this file system does not support locks: {error}",
                where=path,
                fix="mount it with locks, or put the checkout elsewhere; to test a file system: cenbench doctor",
            ) from error
        yield file
