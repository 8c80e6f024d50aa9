"""Runs a command of the site and captures its output, whatever happens."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from cenbench.redact import redacted

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Output:
    """What a command printed. `status` is its exit status, or None if it did not end in time."""

    status: int | None
    output: str
    error: str

    @property
    def why(self) -> str:
        """The last line of output, which usually gives the reason of a failure."""
        if self.status is None:
            return "no answer in time"
        lines = [line for line in (*self.output.splitlines(), *self.error.splitlines()) if line.strip()]
        return redacted(lines[-1].strip()) if lines else f"exit status {self.status}, without output"


def ask(name: str, *arguments: str, search: str | None = None, timeout_s: float = TIMEOUT_S) -> Output | None:
    """Run the command `name`, found in the folders of `search` (by default PATH); None if there is no such command."""
    program = shutil.which(name, path=search)
    return None if program is None else run([program, *arguments], timeout_s=timeout_s)


def run(command: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
    """Run a command; never raises, however the command fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return Output(None, "", "")
    except OSError as error:
        return Output(127, "", str(error))
    return Output(done.returncode, done.stdout, done.stderr)
