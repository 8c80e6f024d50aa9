"""The lock of work that one process does for all: whoever waits for it is told for whom. Torch-free."""
# changes no number: who may write when

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from cenbench.errors import UserError
from cenbench.file_lock import file_lock
from cenbench.process import Process, how_to_go_on, this_process
from cenbench.strict_json import read_strict

log = logging.getLogger("cenbench")
PATIENCE_S = 3.0
"""A wait this long is logged; most work is done sooner."""
_LOOKS_EVERY_S = 0.05
_LOOKS_LATER_S = 1.0
"""After the patience: many processes may wait on one file server, which the holder needs as well."""
_PROCESS = TypeAdapter(Process)


@contextmanager
def work_lock(path: Path, work: str, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock of `work`, which names what is done ("features of the real images"), until the block ends.

    Waits for another process that holds it. After `patience_s` seconds the log says which, once more if that process
    is stopped, and how to go on then. Raises what `file_lock` raises.
    """
    with ExitStack() as stack:
        file = _taken(stack, path, work, patience_s)
        with suppress(OSError):  # the lock is the kernel's; its text only serves those who wait
            file.truncate(0)
            file.write(json.dumps(asdict(this_process())).encode() + b"\n")
        yield


def _taken(stack: ExitStack, path: Path, work: str, patience_s: float) -> BinaryIO:
    """Take the lock, looking again and again: only so is a holder noticed that is stopped during the wait."""
    began, told = time.monotonic(), ""
    while True:
        try:
            return stack.enter_context(file_lock(path, wait=False))
        except BlockingIOError:
            time.sleep(_LOOKS_EVERY_S if time.monotonic() - began < patience_s else _LOOKS_LATER_S)
        if time.monotonic() - began >= patience_s and (words := _words(path)) not in ("", told):
            told = words
            log.warning("waiting for %s: %s (lock: %s)", work, told, path)


def _words(path: Path) -> str:
    """Who holds the lock and what to do about it; empty while a new holder has not said so yet."""
    with suppress(UserError, ValidationError, OSError):
        holder = _PROCESS.validate_json(read_strict(path)[1], strict=True)
        match holder.fate:
            case "stopped":
                return f"{holder} is working on it, but is stopped; {how_to_go_on(holder)}"
            case "running" | "unknown":
                return f"{holder} is working on it"
            case "ended":
                return ""
    return "another process is working on it"
