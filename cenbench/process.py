"""A process by host, pid and start, so that a later process with the same pid is not taken for it. Torch-free."""
# changes no number: who may write when

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import psutil
from pydantic import Field

Pid = Annotated[int, Field(ge=1)]
Fate = Literal["running", "stopped", "ended", "unknown"]
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FIELDS_BEFORE_START = 19
"""Of /proc/PID/stat, after the name in brackets: the start is field 22, the first after the name is field 3."""


@dataclass(frozen=True)
class Process:
    """A process on one of the hosts that share this checkout."""

    host: str
    pid: Pid
    start: str | None = None
    """When it started, as the kernel counts it: equal only for the same process. None in files of older versions."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @property
    def fate(self) -> Fate:
        """What became of it.

        running  it exists on this host
        stopped  it exists on this host and is suspended (SIGSTOP, Ctrl-Z, a debugger)
        ended    it does not exist on this host any more
        unknown  it is a process of another host
        """
        if self.host != socket.gethostname():
            return "unknown"
        try:
            if self.start is not None and _start(self.pid) != self.start:
                return "ended"
            status = psutil.Process(self.pid).status()
        except psutil.NoSuchProcess:
            return "ended"
        except psutil.Error:
            return "unknown"
        if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return "ended"
        return "stopped" if status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP) else "running"


def this_process() -> Process:
    """The process that asks."""
    return Process(socket.gethostname(), os.getpid(), _own_start(os.getpid()))


def folder_id(folder: Path) -> str | None:
    """Which folder this is, whatever its path: a moved one stays the same, a copy is another. None if it is absent."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return f"{status.st_dev}:{status.st_ino}"


def came_with_a_copy(process: Process, held: str | None, folder: Path) -> bool:
    """Whether a file in `folder` that names a holder, and `held`, a `folder_id`, was copied from another folder here.

    Files of older versions name no folder, and other hosts may number theirs otherwise: False.
    """
    return held is not None and held != folder_id(folder) and process.host == socket.gethostname()


def fate_as_holder(process: Process, held: str | None, folder: Path) -> Fate:
    """What became of the process as a holder of `folder`, according to a file in it that names `held`, a `folder_id`.

    If the file came with a copy, the process works in the other folder, and has ended as far as this one goes.
    """
    return "ended" if came_with_a_copy(process, held, folder) else process.fate


def how_to_go_on(process: Process) -> str:
    """What to do about a process that is stopped."""
    return f"resume it with kill -CONT {process.pid}, or end it with kill -KILL {process.pid}"


def _start(pid: int) -> str:
    """The start of a process. psutil's errors for one that does not exist, or that may not be looked at.

    On Linux, this boot and the ticks since: psutil adds the ticks to the time of boot, which moves when the clock is
    set. Elsewhere the kernel itself notes the time of day once, at the start.
    """
    with suppress(OSError, IndexError):
        after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2]
        return f"{_BOOT_ID.read_text().strip()} {after_name.split()[_FIELDS_BEFORE_START]}"
    return repr(psutil.Process(pid).create_time())


@cache
def _own_start(pid: int) -> str | None:
    try:
        return _start(pid)
    except psutil.Error:
        return None
