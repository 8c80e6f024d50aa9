"""Checks what resuming and locking rely on, in the results folder: rename, fsync, locks between processes, clocks."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from cenbench.doctor.check import Check
from cenbench.run.heartbeat import LOST_AFTER_S

SLOW_S = 1.0
SKEW_S = 2.0
_TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "a") as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(3)
"""
HELD = 3
"""Exit status of a process that finds the lock held."""


def filesystem_checks(results: Path) -> list[Check]:
    """All checks of this file, in a temporary folder below `results`."""
    existing = next(folder for folder in (results, *results.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=existing) as name:
            folder = Path(name)
            return [check_rename(folder), check_fsync(folder), check_lock(folder), check_clock(folder)]
    except OSError as error:
        return [Check("results folder", "problem", f"cannot write below {existing}: {error}", "make it writable")]


def check_rename(folder: Path, replace: Callable[[Path, Path], object] = os.replace) -> Check:
    """Check that a file can be replaced while another process reads it, which keeps reading the old bytes."""
    path, fresh = folder / "file", folder / "fresh"
    path.write_bytes(b"old")
    fresh.write_bytes(b"new")
    try:
        with path.open("rb") as reader:
            replace(fresh, path)
            old = reader.read()
        new = path.read_bytes()
    except OSError as error:
        return Check("rename", "problem", f"an open file cannot be replaced: {error}", _ELSEWHERE)
    if (old, new) != (b"old", b"new"):
        found = f"after a rename over an open file, its reader saw {old!r} and a new reader {new!r}"
        return Check("rename", "problem", found, _ELSEWHERE)
    return Check("rename", "ok", "an open file can be replaced, and its reader keeps the old bytes")


def check_fsync(folder: Path, fsync: Callable[[int], None] = os.fsync) -> Check:
    """Check that files and folders can be flushed to the disk in reasonable time."""
    start = time.perf_counter()
    try:
        with (folder / "synced").open("wb") as file:
            file.write(b"x" * 4096)
            file.flush()
            fsync(file.fileno())
        handle = os.open(folder, os.O_RDONLY)
        try:
            fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        return Check("fsync", "problem", f"fsync is refused: {error}", _ELSEWHERE)
    took_s = time.perf_counter() - start
    if took_s > SLOW_S:
        return Check("fsync", "warning", f"slow: {took_s:.1f} s for 4 kB and its folder", "use a faster file system")
    return Check("fsync", "ok", f"{took_s * 1e3:.0f} ms for 4 kB and its folder")


def other_process_finds(path: Path) -> int:
    """Exit status of another process on this node that tries the lock: `HELD`, or 0 if it got the lock."""
    return subprocess.run([sys.executable, "-S", "-c", _TRY_LOCK, str(path)], check=False, timeout=60).returncode


def check_lock(
    folder: Path,
    flock: Callable[[int, int], object] = fcntl.flock,
    other: Callable[[Path], int] = other_process_finds,
) -> Check:
    """Check that an flock held by one process stops another. One node alone cannot check locks across nodes."""
    path = folder / "lock"
    try:
        with path.open("a") as file:
            flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            while_held = other(path)
        after = other(path)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("lock", "problem", f"flock does not work: {error}", _MOUNT)
    if while_held != HELD:
        return Check("lock", "problem", "a held flock does not stop another process", _MOUNT)
    if after != 0:
        return Check("lock", "problem", "an flock is still held after its process released it", _MOUNT)
    return Check("lock", "ok", "flock stops other processes on this node; heartbeats cover other nodes")


def check_clock(folder: Path, now: Callable[[], float] = time.time) -> Check:
    """Check that file times follow this node's clock, and differ for files written one after the other."""
    before = now()
    (folder / "stamp").write_bytes(b"")
    stamp = (folder / "stamp").stat().st_mtime
    skew_s = max(0.0, before - stamp, stamp - now())
    step_s = _granularity_s(folder)
    found = f"the file system's clock and this node's differ by {skew_s:.1f} s; file times have steps of {step_s:.3g} s"
    if skew_s > LOST_AFTER_S:
        return Check("clock", "problem", f"{found}: running cells would look lost", "synchronise the clocks (NTP)")
    if skew_s > SKEW_S:
        return Check("clock", "warning", found, "synchronise the clocks (NTP): Snakemake compares file times")
    if step_s > 1:
        return Check(
            "clock", "warning", found, "use a file system with finer times: Snakemake may rerun jobs without need"
        )
    return Check("clock", "ok", found)


def _granularity_s(folder: Path, tries: int = 40, pause_s: float = 0.005) -> float:
    """The smallest step between the times of files written in a row; 2 s (as on FAT) if none shows within 0.2 s."""
    path, times = folder / "grain", set()
    for _ in range(tries):
        path.write_bytes(b"")
        times.add(path.stat().st_mtime_ns)
        time.sleep(pause_s)
    ordered = sorted(times)
    steps = [later - earlier for earlier, later in pairwise(ordered)]
    return min(steps) / 1e9 if len(steps) > 1 else 2.0


_ELSEWHERE = "move the checkout to another file system (a local or parallel one)"
_MOUNT = "mount it with locks (Lustre: -o flock; NFS: a lock service), or move the checkout"
