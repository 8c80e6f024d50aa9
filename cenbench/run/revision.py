"""The git revision of the checkout. Torch-free."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

TIMEOUT_S = 60.0
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Set within git hooks: they would point at another checkout."""


def revision(root: Path) -> dict[str, Any]:
    """The git revision, and whether tracked files differ from it (`dirty`).

    If git cannot tell, both are None and `revision_unknown` is the reason: no checkout, no git, no commit, a checkout
    that belongs to another user, a damaged one.
    """
    try:
        head = git(root, "rev-parse", "HEAD")
        dirty = bool(git(root, "status", "--porcelain", "--untracked-files=no"))
    except FileNotFoundError:
        return _unknown("git is not installed")
    except subprocess.TimeoutExpired:
        return _unknown(f"git gave no answer within {TIMEOUT_S:.0f} s")
    except subprocess.CalledProcessError as error:
        return _unknown(_reason(error))
    except OSError as error:
        return _unknown(f"git cannot be run: {error.strerror or error}")
    return {"revision": head, "dirty": dirty}


def safe_directory_command(root: Path) -> str:
    """Tells git to trust a checkout that belongs to another user."""
    return f"git config --global --add safe.directory '{root.resolve()}'"


def _unknown(reason: str) -> dict[str, Any]:
    return {"revision": None, "dirty": None, "revision_unknown": reason}


def _reason(error: subprocess.CalledProcessError) -> str:
    """git's own first line about what went wrong."""
    lines = [line.strip() for line in str(error.stderr).splitlines() if line.strip()]
    fatal = next((line for line in lines if line.startswith("fatal: ")), next(iter(lines), ""))
    if "not a git repository" in fatal:
        return "not a git checkout"
    if "dubious ownership" in fatal or "unsafe repository" in fatal:  # git from 2.36, and those that ported it back
        return "git refuses this checkout because it belongs to another user"
    if "ambiguous argument 'HEAD'" in fatal:
        return "the checkout has no commit"
    return fatal.removeprefix("fatal: ") or f"git ended with status {error.returncode}, without a message"


def git(root: Path, *arguments: str) -> str:
    """What a git command prints, stripped. Raises `OSError` and `subprocess.SubprocessError`."""
    command = ["git", "-C", str(root), *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        env={**environment, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},  # or `git status` would hold the user's index
    )
    return done.stdout.strip()
