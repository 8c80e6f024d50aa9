"""One run per cell at a time, by the kernel's lock, which is released when its process dies, however it dies.

On some shared file systems locks do not reach other nodes. There the heartbeat decides: see `_live_elsewhere`.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from cenbench.errors import UserError
from cenbench.file_lock import file_lock
from cenbench.files import room_to_write
from cenbench.run.heartbeat import BEAT_S, BEATS_UNTIL_LOST, Beat, read_beat, slurm_job

log = logging.getLogger("cenbench")
LOCK = "lock"
"""In a state folder: the file that a running cell holds locked."""


@contextmanager
def cell_lock(folder: Path, *, wait: bool = False, beat_s: float = BEAT_S) -> Iterator[None]:
    """Hold the lock of a state folder. If another process holds it, `wait` for it or raise a `UserError` with its name.

    On one host the kernel's lock decides, so kill -9 leaves no stale lock; the text in the file only names the holder.
    A process on another host holds the cell as long as its heartbeat is fresh, even if the kernel finds the lock free.
    The holder should beat (`Heartbeat`) every `beat_s` seconds.
    """
    path = folder / LOCK
    with ExitStack() as stack:
        file = _take(stack, path, wait)
        _await_other_hosts(folder, path, wait, beat_s)
        started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "job": slurm_job(os.environ), "started": started}
        with room_to_write(path):
            file.truncate(0)
            file.write(json.dumps(holder).encode())
        yield


def _take(stack: ExitStack, path: Path, wait: bool) -> BinaryIO:
    """Hold the kernel's lock until the stack unwinds."""
    try:
        return stack.enter_context(file_lock(path, wait=False))
    except BlockingIOError:
        if not wait:
            raise _held(path, _holder(path)) from None
    log.info("already being run by %s: waiting for it", _holder(path))
    return stack.enter_context(file_lock(path))


def _await_other_hosts(folder: Path, path: Path, wait: bool, beat_s: float) -> None:
    """Return once no process on another host runs the cell.

    Known gap: if locks do not reach across nodes, two runs that start within the same fraction of a second do not see
    each other. They write the same bytes, atomically.
    """
    waiting = False
    while (beat := _live_elsewhere(folder, beat_s)) is not None:
        if not wait:
            raise _held(path, f"{beat.who}, whose last heartbeat was {beat.age_s(time.time()):.0f} s ago")
        if not waiting:
            log.info("already being run by %s: waiting until it ends, or its heartbeat stops", beat.who)
            waiting = True
        time.sleep(beat_s)


def _live_elsewhere(folder: Path, beat_s: float) -> Beat | None:
    """The beat of a live process on another host, if one runs the cell.

    A run that ended has removed its heartbeat. One that was killed left its last beat, which grows old; its lock is
    then taken over, which is logged. If clocks differ, a live beat may look old, so an old one is first watched for two
    beats, which needs no clock but this host's.
    """
    beat = read_beat(folder)
    if beat is None or beat.host == socket.gethostname():
        return None
    now = time.time()
    if beat.is_fresh(now, beat_s * BEATS_UNTIL_LOST):
        return beat
    time.sleep(2 * beat_s)
    later = read_beat(folder)
    if later != beat:
        return later
    log.warning("taking over from %s: its heartbeat stopped %.0f s ago", beat.who, beat.age_s(now))
    return None


def _held(path: Path, found: str) -> UserError:
    return UserError(
        "this cell is already being run by another process; nothing was touched",
        where=path,
        found=found,
        expected="one run per cell at a time",
        fix="wait for that run to end (it publishes the same result), or stop it, then rerun this command",
    )


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return "a process that has not identified itself yet"
    job = f", Slurm job {holder['job']}" if holder.get("job") else ""
    return f"process {holder['pid']} on {holder['host']}{job}, since {holder['started']}"
