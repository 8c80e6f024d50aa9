"""Running a command of the site and reading what it says, whatever it does."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Said:
    """What a command said. `status` is None where it did not end in time."""

    status: int | None
    output: str
    error: str

    @property
    def why(self) -> str:
        """The last line that says why it failed."""
        if self.status is None:
            return "no answer in time"
        lines = [line for line in (*self.output.splitlines(), *self.error.splitlines()) if line.strip()]
        return lines[-1].strip() if lines else f"exit status {self.status}, without a word"


def ask(name: str, *arguments: str, search: str | None = None, timeout_s: float = TIMEOUT_S) -> Said | None:
    """Run `name` from the folders of `search` (like PATH; by default PATH); None where there is no such command."""
    program = shutil.which(name, path=search)
    return None if program is None else run([program, *arguments], timeout_s=timeout_s)


def run(command: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Said:
    """Run a command; never raises for what it does."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return Said(None, "", "")
    except OSError as error:
        return Said(127, "", str(error))
    return Said(done.returncode, done.stdout, done.stderr)
