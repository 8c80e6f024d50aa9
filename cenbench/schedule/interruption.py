"""Ctrl-C in a Snakemake run: cells that were interrupted are not shown as failed, and the end says how to resume."""

from __future__ import annotations

import atexit
import logging
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType

RESUME = "interrupted: run the same command to resume; finished cells and saved states are kept"
_SNAKEMAKE = "snakemake.logging"
"""Name of Snakemake's logger."""


class Interruption:
    """Whether Ctrl-C was pressed. Snakemake handles it as always: it ends its jobs, and renders what is finished."""

    def __init__(self) -> None:
        self._happened = threading.Event()

    @property
    def happened(self) -> bool:
        """Whether Ctrl-C was pressed since `watch`."""
        return self._happened.is_set()

    def watch(self) -> None:
        """From now on: note Ctrl-C, say at the end how to resume, and show no errors of jobs that it has ended."""
        with suppress(ValueError):  # another thread than the main one cannot
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in the background
                signal.signal(signal.SIGINT, self._interrupt)
        logging.getLogger(_SNAKEMAKE).addFilter(self.shows)
        atexit.register(self._end)

    def shows(self, record: logging.LogRecord) -> bool:
        """Whether Snakemake's log shows a line: after Ctrl-C, each job that ends with it would be called an error."""
        return record.levelno < logging.ERROR or not self.happened

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._happened.set()
        signal.default_int_handler(number, frame)

    def _end(self) -> None:
        if self.happened:
            print(RESUME, file=sys.stderr, flush=True)
