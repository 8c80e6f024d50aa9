"""Snakemake's lock outlives kill -9. This one is the kernel's, and tells when that one is stale."""

from __future__ import annotations

import fcntl
import socket
from pathlib import Path
from typing import TextIO


def hold_working_directory(root: Path) -> TextIO | None:
    """Say that a controller works in `root`, and remove what a dead one left in `.snakemake/locks`.

    Keep what is returned: the hold ends with it, or with the process. None where another live controller holds the
    directory: Snakemake's own lock then says so. A lock left on another host is not touched, since nothing here can
    tell whether its holder lives; `snakemake --unlock` removes it.
    """
    folder = root / ".snakemake"
    folder.mkdir(exist_ok=True)
    file = (folder / "controller").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.seek(0)
    host = socket.gethostname()
    if file.read() in ("", host):
        for stale in (folder / "locks").glob("*.lock"):
            stale.unlink(missing_ok=True)
    file.truncate(0)
    file.write(host)
    file.flush()
    return file
