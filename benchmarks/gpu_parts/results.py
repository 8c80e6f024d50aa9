"""The result file of `benchmarks/gpu.py`: one JSON object per line, on disk before the next measurement starts."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OK, FAILED, SKIPPED = "ok", "failed", "skipped"


@dataclass(frozen=True)
class Results:
    """Appends what one part measured. Several processes may append to the same file: a line is a single write."""

    path: Path
    part: str

    def add(self, name: str, status: str, text: str, **values: Any) -> None:
        """Write one line, wait until the disk has it, and print it. `text` is the result in words."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        row = {"part": self.part, "name": name, "status": status, "text": text, "at": at, **values}
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, (json.dumps(row) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        print(f"{self.part:<9} {status:<7} {name}: {text}", flush=True)

    def ok(self, name: str, text: str, **values: Any) -> None:
        self.add(name, OK, text, **values)

    def skipped(self, name: str, reason: str, **values: Any) -> None:
        self.add(name, SKIPPED, reason, **values)

    def failed(self, name: str, error: BaseException | str, **values: Any) -> None:
        self.add(name, FAILED, error if isinstance(error, str) else in_words(error), **values)


def in_words(error: BaseException) -> str:
    """The type and the first line of an error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a result file. A last line that was cut off is left out."""
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


@dataclass(frozen=True)
class Deadline:
    """The end of a part's time, on the clock of `time.monotonic`."""

    end: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def at_most(self, seconds: float) -> Deadline:
        """This end, or `seconds` from now if that is sooner."""
        return Deadline(min(self.end, Deadline.after(seconds).end))

    @property
    def left_s(self) -> float:
        return self.end - time.monotonic()

    def passed(self, needed_s: float = 0.0) -> bool:
        """Whether less than `needed_s` is left."""
        return self.left_s < needed_s
