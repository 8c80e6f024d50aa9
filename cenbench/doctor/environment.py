"""Checks Python, the locked packages and the revision of the checkout."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cenbench.doctor.check import Check
from cenbench.run.locked_environment import LOCK, compare_with_lock
from cenbench.run.revision import revision, safe_directory_command
from cenbench.run.user_name import user_name

LOWEST_PYTHON = (3, 11)
_SHOWN = 5


def environment_checks(root: Path) -> list[Check]:
    """All checks of this file."""
    checks = [check_python(sys.version_info[:3]), check_packages(root), check_revision(root)]
    return [*checks, *check_user(os.environ)]


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
        reason = found["revision_unknown"]
        fix = safe_directory_command(root) if "another user" in reason else "work in a git clone"
        return Check("revision", "warning", reason, f"{fix}, so that results name their code")
    if found["dirty"]:
        fix = "commit or revert the changes, so that results name the code that made them"
        return Check("revision", "warning", f"{found['revision'][:10]}, with local changes", fix)
    return Check("revision", "ok", found["revision"][:10])


def check_user(environment: Mapping[str, str]) -> list[Check]:
    """Check that the user has a name and a home folder, which DVC and Snakemake ask for; nothing if so."""
    checks = []
    if user_name() is None:
        found = f"user {os.getuid()} has no name (no entry in the password database), which dvc needs"
        checks.append(Check("user", "warning", found, "export USER=NAME"))
    home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  Path.home() raises where there is none
    if not os.path.isabs(home):  # noqa: PTH117
        found = "there is no home folder, which snakemake and dvc need for their settings"
        checks.append(Check("home", "problem", found, "export HOME=$PWD/.home"))
    return checks
