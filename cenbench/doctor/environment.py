"""Checks Python, the locked packages and the revision of the checkout."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cenbench.doctor.check import Check
from cenbench.run.locked_environment import LOCK, compare_with_lock
from cenbench.run.revision import revision

LOWEST_PYTHON = (3, 11)
_SHOWN = 5


def environment_checks(root: Path) -> list[Check]:
    """All checks of this file."""
    return [check_python(sys.version_info[:3]), check_packages(root), check_revision(root)]


def check_python(version: Sequence[int]) -> Check:
    """Check that this interpreter is new enough."""
    found = f"Python {'.'.join(map(str, version))} ({sys.executable})"
    if tuple(version[:2]) < LOWEST_PYTHON:
        return Check("python", "problem", found, "Python 3.11 or newer: make env PYTHON=python3.12")
    return Check("python", "ok", found)


def check_packages(root: Path, installed: Mapping[str, str] | None = None) -> Check:
    """Check that the installed packages are those of constraints.txt."""
    lock = compare_with_lock(root, installed)
    if lock.sha256 is None:
        return Check(
            "packages", "warning", f"no {LOCK} in {root.resolve()}", "run this in the checkout, or pass it with --root"
        )
    if lock.differs:
        named = ", ".join(f"{name} {versions}" for name, versions in list(lock.differs.items())[:_SHOWN])
        more = f", and {len(lock.differs) - _SHOWN} more" if len(lock.differs) > _SHOWN else ""
        return Check("packages", "warning", f"not the locked environment: {named}{more}", "make env")
    absent = f"; {len(lock.absent)} locked packages are not installed" if lock.absent else ""
    return Check("packages", "ok", f"every installed package has its version in {LOCK} ({lock.sha256[:10]}){absent}")


def check_revision(root: Path) -> Check:
    """Check that results can be traced to a revision."""
    found = revision(root)
    if found["revision"] is None:
        return Check(
            "revision", "warning", "not a git checkout", "work in a git clone, so that results name their code"
        )
    if found["dirty"]:
        fix = "commit or revert the changes, so that results name the code that made them"
        return Check("revision", "warning", f"{found['revision'][:10]}, with local changes", fix)
    return Check("revision", "ok", found["revision"][:10])
