"""Has a cell of a local run started by its warm interpreter (`cenbench/warm_interpreter.py`), where there is one.

The process that Snakemake started stays, and stands for the cell: it passes signals on, and ends as the cell ends.
Whatever is in the way, before the cell has begun, leaves this process to start it in the ordinary way.
"""
# changes no number: how a process starts

from __future__ import annotations

import hashlib
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

SOCKET = "CENBENCH_WARM_SOCKET"
"""The abstract Unix socket of the run's warm interpreter, for its jobs."""
COMMAND = "run"
MAY_DIFFER = frozenset({"_", "SHLVL", "PWD", "OLDPWD", "TMPDIR", "TMP", "TEMP", "TEMPDIR", SOCKET})
"""Environment variables that no library reads while it is imported. The cell gets its own; all others must be equal."""
WAIT_S = 60.0
"""How long to wait for an interpreter that is still importing. It began earlier than this process would, and so is done
earlier, however busy the machine is, unless it is suspended.
"""
PASSED_ON = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM")
SIGNALS = (*PASSED_ON, "SIGTSTP")
"""What this process answers for its cell, and the warm interpreter ignores."""
STARTED = b"started"
MESSAGE_BYTES = 2**16
_PROTOCOL = ("warm_start.py", "warm_interpreter.py")


def run_warm() -> None:
    """Have the warm interpreter run this process's command, and end as it ends; return if it is to be run here.

    This process must not have imported or changed anything yet.
    """
    name = os.environ.pop(SOCKET, None)
    if name is None or sys.argv[1:2] != [COMMAND]:
        return
    if None in (sys.stdin, sys.stdout, sys.stderr):  # a closed one: the connection would take its number
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            cell = _start(connection, name)
        except OSError:
            return
        if cell is not None:
            _stand_for(cell, connection)


def is_same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to this process's user: an abstract socket has no permissions."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.getuid())


def surroundings() -> bytes:
    """Digest of what a process is started with, and of the packages it finds. A fork has these from the interpreter it
    was forked from; where they differ from this process's own, the cell is started in the ordinary way.
    """
    umask = os.umask(0o077)
    os.umask(umask)
    limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    numbers = sorted(signal.valid_signals())
    found = {
        "interpreter": (sys.version, sys.executable, sys.prefix, sys.flags, sys.warnoptions, sys._xoptions, sys.path),
        "packages": [(name, Path(name).stat().st_mtime_ns) for name in sys.path if name.endswith("-packages")],
        "protocol": [Path(__file__).with_name(name).stat().st_mtime_ns for name in _PROTOCOL],
        "environment": sorted((name, value) for name, value in os.environ.items() if name not in MAY_DIFFER),
        "user": (os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getgroups(), umask),
        "folder": str(Path.cwd()),
        "limits": [(name, resource.getrlimit(getattr(resource, name))) for name in limits],
        "ignored": [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "cpus": (sorted(os.sched_getaffinity(0)), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)),
        "group": Path("/proc/self/cgroup").read_text(),
    }
    return hashlib.sha256(repr(found).encode("utf-8", "surrogateescape")).hexdigest().encode()


def _start(connection: socket.socket, name: str) -> int | None:
    """Have the cell started; returns a pidfd of its process, or None if it is not started and never will be.

    Raises OSError in that case, too. There is no limit on time after the request: what was asked for may be started.
    """
    connection.settimeout(WAIT_S)
    connection.connect(f"\0{name}")
    if not is_same_user(connection) or connection.recv(MESSAGE_BYTES) != surroundings():
        return None
    own = {name: value for name, value in os.environ.items() if name in MAY_DIFFER}
    request = {"argv": sys.argv, "orig_argv": sys.orig_argv, "environment": own}
    connection.settimeout(None)
    socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
    answer, files, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 1)
    return files[0] if answer == STARTED else None


def _stand_for(cell: int, connection: socket.socket) -> NoReturn:
    """Pass signals on to the cell, and end as it ends. `cell` is its pidfd, which never means another process."""

    def pass_on(number: int, *_: object) -> None:
        with suppress(ProcessLookupError):  # it has ended
            signal.pidfd_send_signal(cell, number)

    def suspend(*_: object) -> None:
        pass_on(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        pass_on(signal.SIGCONT)  # this process was continued

    for name in SIGNALS:
        if signal.getsignal(number := signal.Signals[name]) is not signal.SIG_IGN:
            signal.signal(number, suspend if name == "SIGTSTP" else pass_on)
    status = b""
    with suppress(ConnectionError):
        status = connection.recv(MESSAGE_BYTES)
    if not status:  # the interpreter was killed
        pass_on(signal.SIGKILL)
        select.select([cell], [], [])
    _end(int(status or -signal.SIGKILL))


def _end(status: int) -> NoReturn:
    """End with this exit status, or by this signal if it is negative."""
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the cell has left its own
        with suppress(OSError):  # SIGKILL has no handler
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
