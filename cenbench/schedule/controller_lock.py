"""Snakemake's own lock outlives kill -9. This one is the kernel's, and shows when Snakemake's is stale."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from cenbench.file_lock import file_lock


def controller_file(root: Path) -> Path:
    """The file that a live controller of `root` holds locked."""
    return root / ".snakemake" / "controller"


def hold_working_directory(root: Path) -> ExitStack | None:
    """Hold `root` for this controller, and remove what a dead one left in `.snakemake/locks`.

    Keep the returned object: the hold ends with it, or with the process. None if another live controller holds the
    directory; Snakemake's own lock then reports it. A lock left by another host is not touched, since nothing here can
    tell whether its holder lives; `snakemake --unlock` removes it.
    """
    hold = ExitStack()
    try:
        file = hold.enter_context(file_lock(controller_file(root), wait=False))
    except BlockingIOError:
        return None
    file.seek(0)
    host = socket.gethostname().encode()
    if file.read() in (b"", host):
        for stale in (root / ".snakemake" / "locks").glob("*.lock"):
            stale.unlink(missing_ok=True)
    file.truncate(0)
    file.write(host)
    return hold
