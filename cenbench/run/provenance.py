"""Where a number comes from: revision, environment, device. Kept in a file apart from the numbers themselves."""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from cenbench.files import as_text
from cenbench.redact import redacted_command
from cenbench.run.heartbeat import slurm_job
from cenbench.run.locked_environment import compare_with_lock
from cenbench.run.revision import revision

PACKAGES = ("torch", "numpy", "snakemake", "dvc", "torch-fidelity", "pandas", "safetensors")
_DRIVER = Path("/proc/driver/nvidia/version")


def environment(device: torch.device, root: Path) -> dict[str, Any]:
    """Versions, device, host, and the revision of the checkout at `root` (and whether it had local changes).

    `environment` in it reports whether the packages are those of constraints.txt, and which are not.
    """
    return {
        **revision(root),
        "environment": compare_with_lock(root).as_dict(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "host": socket.gethostname(),
        "node": os.environ.get("SLURMD_NODENAME"),
        "slurm_job": slurm_job(os.environ),
        "container": os.environ.get("APPTAINER_NAME"),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "device_type": device.type,
        "cuda": torch.version.cuda,
        "driver": driver_version(_DRIVER),
        "threads": torch.get_num_threads(),
        "command": as_text(redacted_command(["cenbench", *sys.argv[1:]])),
    }


def driver_version(path: Path) -> str | None:
    """The NVIDIA driver's version, as the kernel module reports it; None without one."""
    try:
        found = re.search(r"Kernel Module(?: for \S+)?\s+(\d[\d.]*)", path.read_text())
    except OSError:
        return None
    return found[1] if found else None


def _processor() -> str:
    """The CPU's model, which Linux reports only here."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or "CPU"


def now() -> str:
    """Local time with its offset, to the second (ISO 8601)."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
