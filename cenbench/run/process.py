"""A process by host, pid and start time, so that a later process with the same pid is not taken for it. Torch-free."""
# changes no number: who may write when

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import psutil
from pydantic import Field

Pid = Annotated[int, Field(ge=1)]
Fate = Literal["running", "stopped", "ended", "unknown"]
_SAME_START_S = 2.0
"""Start times are recomputed from the time of boot, which moves a little when the clock is set."""


@dataclass(frozen=True)
class Process:
    """A process on one of the hosts that share this checkout."""

    host: str
    pid: Pid
    began: float | None = None
    """When it started, in Unix seconds of its host; None in files of older versions."""

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
            process = psutil.Process(self.pid)
            if self.began is not None and abs(process.create_time() - self.began) > _SAME_START_S:
                return "ended"
            status = process.status()
        except psutil.NoSuchProcess:
            return "ended"
        except psutil.Error:
            return "unknown"
        if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return "ended"
        return "stopped" if status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP) else "running"


def this_process() -> Process:
    """The process that asks."""
    return Process(socket.gethostname(), os.getpid(), _began(os.getpid()))


def how_to_go_on(process: Process) -> str:
    """What to do about a process that is stopped."""
    return f"resume it with kill -CONT {process.pid}, or end it with kill -KILL {process.pid}"


@cache
def _began(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
