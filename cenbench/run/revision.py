"""The git revision of the checkout. Torch-free."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any


def revision(root: Path) -> dict[str, Any]:
    """The git revision, and whether tracked files differ from it (`dirty`); both None outside a git checkout."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return {"revision": None, "dirty": None}
    return {"revision": head, "dirty": dirty}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
