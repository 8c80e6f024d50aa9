"""Start a process that holds a lock until it is told, or killed."""

from __future__ import annotations

import subprocess
import sys


def holding(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run Python code, which prints `held` once it holds its lock; returns then."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process
