"""The warm interpreter of a local run: imports torch once, and starts each cell as a fork of itself.

Of this package it imports only what starts cells, and each cell forgets even that: it imports the code that is on disk
when it starts, and digests that. Its life:

- Snakemake's process starts it before the first job, and holds the other end of its standard input. When that process
  has ended, it starts no further cell, and ends with its last one.
- `cenbench/warm_start.py` asks for a cell. A cell whose asker is killed is killed; if this process is killed, its cells
  are, too.
- It has a process group of its own and ignores what would end it, because cells end with it. Each cell also has a group
  of its own, so that a signal for the whole run (Ctrl-C) reaches the cell once, from its asker.
"""
# changes no number: how a process starts

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from cenbench.errors import UserError
from cenbench.warm_start import MAY_DIFFER, MESSAGE_BYTES, SIGNALS, SOCKET, STARTED, is_same_user, surroundings

SWITCH = "CENBENCH_WARM_START"
PACKAGES = (
    *("torch", "numpy", "safetensors.torch", "safetensors.numpy", "yaml", "typer", "rich.progress", "rich.table"),
    *("pydantic.main", "pydantic.dataclasses", "pydantic.type_adapter", "pydantic.types", "packaging.requirements"),
)
"""What every cell imports of other packages, none of which starts a thread or keeps the number of its process."""
JOB = {
    "OMP_NUM_THREADS": "1",
    "GOTO_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}
"""What Snakemake sets for a job of one thread, as a cell is. Libraries read it when they are imported."""
_STREAMS = 3
"""Standard input, output and error."""
_PR_SET_PDEATHSIG = 1
_Handler = Callable[[int, FrameType | None], Any] | int | None


def start(cells: int, environment: MutableMapping[str, str] = os.environ) -> subprocess.Popen[bytes] | None:
    """Start the warm interpreter of this process for a run of so many cells, and tell its jobs by `environment`.

    Does nothing for a single cell, where the system lacks what it needs (only Linux has it) or refuses it, or where
    CENBENCH_WARM_START=off is set; any value but `on` and `off` is a `UserError`.
    """
    setting = environment.get(SWITCH, "on")
    if setting not in ("on", "off"):
        raise UserError("unknown setting", key=SWITCH, found=setting, expected="on, off", fix=f"unset {SWITCH}")
    if setting == "off" or cells < 2 or not _is_supported():
        return None
    name = f"cenbench-{secrets.token_hex(16)}"
    try:
        process = _launch(name, {**environment, **JOB})
    except OSError:  # a sandbox, or no memory or files for it: cells start in the ordinary way
        return None
    environment[SOCKET] = name
    if process.stdin is not None:
        atexit.register(process.stdin.close)  # kept open, by this reference, while this process lives
    return process


def _launch(name: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0{name}")
        listener.listen(128)
        return subprocess.Popen(
            [sys.executable, "-m", "cenbench.warm_interpreter", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            env=environment,
            process_group=0,
        )


def _is_supported() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # not Linux, or one before 5.3
        return False
    return True


@dataclass(frozen=True)
class Request:
    """A cell to start, as the process that asks for it would have started it."""

    connection: socket.socket
    files: list[int]
    """Its standard input, output and error."""
    argv: list[str]
    orig_argv: list[str]
    environment: dict[str, str]
    """The variables in which it may differ from this process."""

    @classmethod
    def receive(cls, connection: socket.socket) -> Request | None:
        """None if the process that asked has ended, or if its request did not arrive whole."""
        try:
            message, files, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, _STREAMS)
        except OSError:
            return None
        if len(files) < _STREAMS or len(message) == MESSAGE_BYTES:
            for file in files:
                os.close(file)
            return None
        return cls(connection, files, **json.loads(message))

    def close(self) -> None:
        """Close its files in this process."""
        for file in self.files:
            os.close(file)


def _is_single_threaded() -> bool:
    """Whether a fork, in which only the thread that forks goes on, lacks nothing."""
    return sum(1 for _ in Path("/proc/self/task").iterdir()) == 1


@dataclass
class Server:
    """Starts cells, and tells the processes that asked for them how they ended."""

    listener: socket.socket
    surroundings: bytes
    handlers: Mapping[signal.Signals, _Handler]
    """What a new process does with the signals that this one ignores."""
    controller_lives: bool = True
    running: int = 0
    watched: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    """What this process waits for, each with the function that is called: all files that it holds."""

    def serve(self) -> Request | None:
        """Serve until Snakemake's process and all cells have ended, then return None. In the process of a cell, return
        what it is to run.
        """
        self.watched.register(self.listener, selectors.EVENT_READ, self._greet)
        self.watched.register(sys.stdin.fileno(), selectors.EVENT_READ, self._controller_ended)
        while self.controller_lives or self.running:
            ready, _ = self.watched.select()[0]  # one at a time: it may close what else is ready
            request: Request | None = ready.data()
            if request is not None:
                return request
        return None

    def _greet(self) -> None:
        """Show someone who asks in which surroundings cells would start here. It decides whether to ask for one."""
        with suppress(OSError):  # it has given up
            connection, _ = self.listener.accept()
            if is_same_user(connection) and _is_single_threaded():
                connection.send(self.surroundings)
                self.watched.register(connection, selectors.EVENT_READ, partial(self._start, connection))

    def _controller_ended(self) -> None:
        self.controller_lives = False
        self.watched.unregister(sys.stdin.fileno())
        self.watched.unregister(self.listener)
        self.listener.close()

    def _start(self, connection: socket.socket) -> Request | None:
        """Start the cell that is asked for. Without memory or files for it, hang up: then it is started elsewhere."""
        self.watched.unregister(connection)
        request = Request.receive(connection)
        if request is None:
            connection.close()
            return None
        server, pid = os.getpid(), None
        try:
            if (pid := os.fork()) == 0:
                return self._become(request, server)
            cell = os.pidfd_open(pid)
        except OSError:
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            connection.close()
            return None
        finally:
            request.close()
        self.running += 1
        self.watched.register(connection, selectors.EVENT_READ, partial(self._asker_ended, connection, cell))
        self.watched.register(cell, selectors.EVENT_READ, partial(self._cell_ended, connection, cell, pid))
        return None

    def _asker_ended(self, connection: socket.socket, cell: int) -> None:
        self.watched.unregister(connection)
        signal.pidfd_send_signal(cell, signal.SIGKILL)

    def _cell_ended(self, connection: socket.socket, cell: int, pid: int) -> None:
        _, ended = os.waitpid(pid, 0)
        with suppress(KeyError):
            self.watched.unregister(connection)
        self.watched.unregister(cell)
        with suppress(OSError):  # whoever asked was killed
            connection.send(str(os.waitstatus_to_exitcode(ended)).encode())
        connection.close()
        os.close(cell)
        self.running -= 1

    def _become(self, request: Request, server: int) -> Request:
        """Make this fork what a new process would be, and tell the process that asked."""
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != server:  # it has ended before
                os._exit(1)
            os.setpgid(0, 0)
            for watched in list(self.watched.get_map().values()):
                (
                    watched.fileobj.close
                    if isinstance(watched.fileobj, socket.socket)
                    else partial(os.close, watched.fd)
                )()
            self.watched.close()
            for number, file in enumerate(request.files):
                os.dup2(file, number)
            for signal_number, handler in self.handlers.items():
                signal.signal(signal_number, handler)
            own = os.pidfd_open(os.getpid())
            with request.connection as connection:
                socket.send_fds(connection, [STARTED], [own])  # from here on it gets signals
            os.close(own)
        except BaseException:
            os._exit(1)
        return request


def main(listener: int) -> None:
    """Serve on the socket with this file number; in the process of a cell, run its command."""
    found = surroundings()
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in map(signal.Signals.__getitem__, SIGNALS)}
    gc.disable()
    for package in PACKAGES:
        importlib.import_module(package)
    gc.freeze()  # looking for cycles in a cell would write to the memory of all of them, and so copy it
    request = Server(socket.socket(fileno=listener), found, handlers).serve()
    if request is not None:
        gc.enable()
        run(request)


def run(request: Request) -> None:
    """Run the command as `python -m cenbench` does, with this package imported from disk as it is now."""
    for name in MAY_DIFFER:
        os.environ.pop(name, None)
    os.environ.update(request.environment)
    tempfile.tempdir = None
    sys.argv, sys.orig_argv = request.argv, request.orig_argv
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = _reopened(getattr(sys, name), mode)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cenbench"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    runpy.run_module("cenbench", run_name="__main__", alter_sys=True)


def _reopened(stream: TextIO, mode: str) -> TextIO:
    """A stream as Python opens it at its start: the old one remembers what its file was, another than it is now."""
    assert isinstance(stream, io.TextIOWrapper)
    file: Any = io.FileIO(stream.fileno(), mode, closefd=False)
    unbuffered = stream.write_through  # python -u
    if mode == "r":
        file = io.BufferedReader(file)
    elif not unbuffered:
        file = io.BufferedWriter(file)
    return io.TextIOWrapper(
        file,
        stream.encoding,
        stream.errors,
        newline="\n" if mode == "w" else None,
        line_buffering=not unbuffered and (stream is sys.stderr or file.isatty()),
        write_through=unbuffered,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
