"""One run per cell at a time, by the kernel's lock, which is released when its process dies, however it dies.

On some shared file systems locks do not reach other nodes. There the heartbeat decides: see `_live_elsewhere`.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cenbench.errors import TakenOver, UserError
from cenbench.file_lock import file_lock
from cenbench.files import read_json_object, room_to_write, where_supported
from cenbench.process import Process, came_with_a_copy, folder_id, how_to_go_on, this_process
from cenbench.regular_file import read_regular
from cenbench.run.heartbeat import BEAT_S, BEATS_UNTIL_LOST, Beat, read_beat, slurm_job

log = logging.getLogger("cenbench")
LOCK = "lock"
"""In a state folder: the file that a running cell holds locked."""
_LENGTH = 512
"""Bytes that every holder writes, so that of two that write at once, one is left whole."""
_LARGEST_BYTES = 2**20
_PROCESS = TypeAdapter(Process)


@dataclass(frozen=True)
class CellLock:
    """The lock of a state folder, as held by one run. Every holder writes a higher number into it.

    A run that was stopped for longer than others wait for its heartbeat, or whose lock does not reach another host, may
    have been taken over without noticing. So it asks before each write: `check` is a `Guard`.
    """

    path: Path
    text: str
    """What this run wrote into the lock: itself, and its number."""

    def check(self) -> None:
        """Raise `TakenOver` if this run does not hold the cell any more, or cannot tell."""
        found = self._found()
        if found is not None:
            raise TakenOver(
                "another process took over this cell while this one was stopped or unreachable; this one ends, and has "
                "written nothing since",
                where=self.path,
                found=found,
                expected=_who(json.loads(self.text)),
                fix="nothing: the other process publishes the cell; cenbench status shows how far it is",
            )

    def is_held(self) -> bool:
        """Whether this run still holds the cell."""
        return self._found() is None

    def _found(self) -> str | None:
        """Who holds the cell instead; None if this run does."""
        try:
            text = read_regular(self.path, _LARGEST_BYTES).decode()
        except (UserError, ValueError) as error:
            return f"the lock cannot be read: {error}"
        return None if text == self.text else _who(_read(self.path))


@contextmanager
def cell_lock(folder: Path, *, wait: bool = False, beat_s: float = BEAT_S) -> Iterator[CellLock]:
    """Hold the lock of a state folder. If another process holds it, `wait` for it or raise a `UserError` with its name.

    On one host the kernel's lock decides, so kill -9 leaves no stale lock; the text in the file names the holder.
    A process on another host holds the cell as long as its heartbeat is fresh, even if the kernel finds the lock free.
    The holder should beat (`Heartbeat`) every `beat_s` seconds, and call `CellLock.check` before it writes.
    """
    path = folder / LOCK
    with ExitStack() as stack:
        _take(stack, path, wait)
        _await_other_hosts(folder, path, wait, beat_s)
        number = _read(path).get("number")
        holder = {
            **asdict(this_process()),
            "folder": folder_id(folder),
            "job": slurm_job(os.environ),
            "number": number + 1 if type(number) is int else 1,
            "nonce": secrets.token_hex(8),  # the numbers begin again if somebody removes the file
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        text = json.dumps(holder, indent=1).ljust(_LENGTH) + "\n"
        with room_to_write(path), path.open("r+b", buffering=0) as file:
            file.write(text.encode())
            file.truncate()
            with where_supported():
                os.fsync(file.fileno())
        yield CellLock(path, text)


def _take(stack: ExitStack, path: Path, wait: bool) -> None:
    """Hold the kernel's lock until the stack unwinds."""
    try:
        stack.enter_context(file_lock(path, wait=False))
        return
    except BlockingIOError:
        holder = _holder(path)
        if not wait:
            raise _held(path, _who(holder), _process(holder)) from None
    log.info("already being run by %s: waiting for it", _who(holder))
    if (process := _process(holder)) is not None and process.fate == "stopped":
        log.warning("that process is stopped: %s", how_to_go_on(process))
    stack.enter_context(file_lock(path))


def _await_other_hosts(folder: Path, path: Path, wait: bool, beat_s: float) -> None:
    """Return once no process on another host runs the cell.

    If locks do not reach across nodes, two runs that start within the same fraction of a second do not see each other:
    the one that writes itself into the lock first then finds that it was taken over.
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


def _held(path: Path, found: str, process: Process | None = None) -> UserError:
    stopped = process is not None and process.fate == "stopped"
    return UserError(
        "this cell is already being run by another process; nothing was touched",
        where=path,
        found=f"{found}; it is stopped" if stopped else found,
        expected="one run per cell at a time",
        fix=how_to_go_on(process)
        if process is not None and stopped
        else "wait for that run to end (it publishes the same result), or stop it, then rerun this command",
    )


def _read(path: Path) -> dict[str, Any]:
    """What the last holder wrote into the lock; empty if nothing, or nothing that can be read."""
    with suppress(UserError):
        return read_json_object(path)
    return {}


def _holder(path: Path) -> dict[str, Any]:
    """Who holds the lock; empty if it has written nothing yet, and what is there came with a copy of the folder."""
    holder = _read(path)
    process, folder = _process(holder), holder.get("folder")
    if process is not None and isinstance(folder, str) and came_with_a_copy(process, folder, path.parent):
        return {}
    return holder


def _process(holder: dict[str, Any]) -> Process | None:
    with suppress(KeyError, ValidationError):
        text = json.dumps({name: holder[name] for name in ("host", "pid", "start")})
        return _PROCESS.validate_json(text, strict=True)
    return None


def _who(holder: dict[str, Any]) -> str:
    process = _process(holder)
    if process is None:
        return "a process that has not identified itself yet"
    job = f", Slurm job {holder['job']}" if holder.get("job") else ""
    return f"{process}{job}, since {holder.get('started')}"
