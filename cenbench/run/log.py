"""Where a run's log goes: to stderr, and to a file that keeps the lines of all runs of the cell."""

from __future__ import annotations

import faulthandler
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cenbench.files import room_to_write
from cenbench.redact import RedactingFormatter

FORMAT = "%(asctime)s %(message)s"


def log_to_stderr() -> None:
    """Show the package's log on stderr, with times and without secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


@contextmanager
def log_to_file(path: Path, is_held: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Append the package's log to `path` as well, while the cell `is_held`. Snakemake's own log file holds the last run
    only.

    A process that dies by a signal of the kernel (a bus error, for a mapped file that was cut short) leaves its
    tracebacks there: `cenbench.records.crash` reads them.
    """
    with room_to_write(path):
        handler = _FileHandler(path)
    assert handler.stream is not None, "opened at once"
    handler.setFormatter(RedactingFormatter(FORMAT))
    handler.addFilter(lambda record: is_held())
    log = logging.getLogger("cenbench")
    log.addHandler(handler)
    enabled = faulthandler.is_enabled()
    faulthandler.enable(handler.stream.fileno())
    try:
        yield
    finally:
        faulthandler.disable()
        if enabled and sys.__stderr__ is not None:
            faulthandler.enable(sys.__stderr__)
        log.removeHandler(handler)
        with suppress(OSError):  # a full disk may refuse the last lines; stderr has them
            handler.close()


class _FileHandler(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Report nothing: stderr has the line, and whatever must be written reports a full disk."""
