"""Where a number comes from: revision, environment, device, times. Kept apart from the numbers, which stay the same."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from cenbench.run.redact import redacted

PACKAGES = ("torch", "numpy", "snakemake", "dvc", "torch-fidelity", "pandas", "safetensors")


def environment(device: torch.device, root: Path) -> dict[str, Any]:
    """Versions, device and the revision of the checkout at `root` (with whether it carried local changes)."""
    return {
        **revision(root),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU",
        "device_type": device.type,
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "command": redacted(shlex.join(["cenbench", *sys.argv[1:]])),
    }


def revision(root: Path) -> dict[str, Any]:
    """The git revision and whether tracked files differ from it; both None outside a git checkout."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return {"revision": None, "dirty": None}
    return {"revision": head, "dirty": dirty}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def now() -> str:
    """Local time with its offset, to the second (ISO 8601)."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
