"""One run of a cell at a time: an flock, which the kernel drops with the process that held it, however that died."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import room_to_write

log = logging.getLogger("cenbench")


@contextmanager
def cell_lock(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold `folder/lock`. If another live process holds it, a `UserError` says which, and nothing is touched.

    With `wait` it is waited for instead: a cell that outlived its controller is let finish.

    The text in the file only tells a person who holds it; the lock itself is the kernel's, so there is no stale lock
    to clean up after kill -9.
    """
    path = folder / "lock"
    with room_to_write(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise UserError(
                    "this cell is already being run by another process; nothing was touched",
                    where=path,
                    found=_holder(path),
                    expected="one run of a cell at a time",
                    mend="wait for that run to end (it publishes the same result), or stop it, then run this again",
                ) from None
            log.info("already being run by %s: waiting for it", _holder(path))
            fcntl.flock(file, fcntl.LOCK_EX)
        started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        with room_to_write(path):
            file.truncate(0)
            holder = {"host": socket.gethostname(), "pid": os.getpid(), "started": started}
            file.write(json.dumps(holder).encode())
        yield


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return "a process that has not written its name yet"
    return f"process {holder['pid']} on {holder['host']}, since {holder['started']}"
