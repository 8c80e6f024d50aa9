"""One run of a cell at a time: an flock, which the kernel drops with the process that held it, however that died."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cenbench.errors import UserError


@contextmanager
def cell_lock(folder: Path) -> Iterator[None]:
    """Hold `folder/lock`. If another live process holds it, a `UserError` says which, and nothing is touched.

    The text in the file only tells a person who holds it; the lock itself is the kernel's, so there is no stale lock
    to clean up after kill -9.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "this cell is already being run by another process; nothing was touched",
                where=path,
                found=_holder(path),
                expected="one run of a cell at a time",
                mend="wait for that run to end (it publishes the same result), or stop it, then run this again",
            ) from None
        file.truncate(0)
        started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": started}))
        file.flush()
        yield


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return "a process that has not written its name yet"
    return f"process {holder['pid']} on {holder['host']}, since {holder['started']}"
