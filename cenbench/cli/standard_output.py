"""Standard output that cannot be written: a full disk, or a reader such as `head` that has closed the pipe."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cenbench.errors import UserError
from cenbench.regular_file import is_system_error

if TYPE_CHECKING:
    from typing_extensions import Buffer

PIPE_CLOSED = 141
"""The exit status that a shell gives a program which SIGPIPE ended. SIGPIPE itself stays ignored: it would end a cell's
run whose worker process has died.
"""


class _File(io.FileIO):
    """Standard output without buffer. Remembers an error: the one that a command raises does not name its file."""

    error: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.error = error
            raise


_watched: list[tuple[io.TextIOWrapper, _File]] = []
"""The stream and the file that `watch_output` opened, if it did."""


def watch_output() -> None:
    """Make `output_error` know of every error of standard output. Leaves a stdout that is not the process's alone."""
    old = sys.stdout
    if isinstance(old, io.TextIOWrapper) and old is sys.__stdout__:
        old.flush()
        file = _File(old.fileno(), "w", closefd=False)
        sys.stdout = stream = io.TextIOWrapper(
            file if old.write_through else io.BufferedWriter(file),  # as `python -u` does
            encoding=old.encoding,
            errors=old.errors,
            line_buffering=old.line_buffering,
            write_through=old.write_through,
        )
        _watched[:] = [(stream, file)]


def output_error() -> OSError | None:
    """Write what is buffered for standard output; the first error of any write to it so far."""
    for stream, file in _watched:
        with suppress(OSError):  # the file remembers it
            stream.flush()
        return file.error
    return None


def is_closed_pipe(error: BaseException | None) -> bool:
    """Whether this is the error of a pipe whose reader has closed it."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def discard_output() -> None:
    """Drop what is buffered: Python would try to write it again when it ends, and print a traceback."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def not_written(error: OSError) -> UserError:
    """The error for output that the system refuses."""
    reason = error.strerror if is_system_error(error) else str(error)
    fix = "free space where it is redirected to, or write it somewhere else, then rerun the command"
    return UserError(f"standard output could not be written: {reason}", fix=fix)
