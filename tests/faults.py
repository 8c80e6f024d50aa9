"""The summary at the end of `make test-faults`: how often each promise of docs/faults.md was tried and kept.

The promises and the tests that hold them are read from the table there. Every test writes a line of JSON, {"test",
"fault", "tries", "survived", "lost"}, to the file that CENBENCH_FAULTS_OUT names: one per fault it counts by itself
(the fixture `faults`), else one for the test.

    python tests/faults.py --tests    print the tests, for pytest
    python tests/faults.py FILE       print the table
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

KILLS = int(os.environ.get("CENBENCH_KILLS", "4"))
"""How often a training is killed at a random moment; `make test-faults CENBENCH_KILLS=100` for more."""
DOCUMENT = Path(__file__).parents[1] / "docs" / "faults.md"
OUT = "CENBENCH_FAULTS_OUT"


@dataclass(frozen=True)
class Promise:
    """A line of the table: its first words, and its tests as `file::name`."""

    words: str
    tests: tuple[str, ...]


@dataclass
class Tally:
    """Counts the tries of one fault. Tries that were not survived by the end of the test are lost."""

    fault: str
    tries: int = 0
    survived: int = 0

    @contextmanager
    def one(self, count: int = 1) -> Iterator[None]:
        """Wraps `count` tries, which are survived if the block raises nothing."""
        self.tries += count
        yield
        self.survived += count

    def report(self, test: str) -> None:
        """Append to the file CENBENCH_FAULTS_OUT, if it is set: in one write, because test processes share it."""
        if out := os.environ.get(OUT):
            line = {"test": test, "fault": self.fault, "tries": self.tries, "survived": self.survived}
            with Path(out).open("a") as file:
                file.write(json.dumps({**line, "lost": self.tries - self.survived}) + "\n")


def promises() -> list[Promise]:
    """The table of docs/faults.md."""
    found = []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\| \*\*(.+?)\*\*.*\|(.*)\|$", line):
            tests = tuple(re.findall(r"`(test_\w+\.py::\w+)`", match[2]))
            found += [Promise(match[1].replace("`", "").rstrip("."), tests)] if tests else []
    return found


def summary(lines: Sequence[dict[str, Any]]) -> Table:
    """A row per promise, and one per fault that its tests count by name; the rest are single tests."""
    table = Table(title="Promises of docs/faults.md", show_footer=True)
    counted: list[dict[str, Any]] = []
    rows: list[tuple[str, Sequence[dict[str, Any]]]] = []
    for promise in promises():
        own = [line for line in lines if line["test"] in promise.tests]
        counted += own
        rows.append((promise.words, own))
        for fault in dict.fromkeys(line["fault"] for line in own if line["fault"]):
            rows.append((f"  {fault}", [line for line in own if line["fault"] == fault]))
    other = [line for line in lines if line not in counted]
    rows += [("other tests", other)] if other else []
    table.add_column("promise", footer="all")
    for key in ("tries", "survived", "lost"):
        table.add_column(key, footer=str(_total(lines, key)), justify="right")
    for words, own in rows:
        counts = [str(_total(own, key)) if own else "not run" for key in ("tries", "survived", "lost")]
        table.add_row(Text(words), *counts, style="bold red" if _total(own, "lost") else "")
    return table


def _total(lines: Sequence[dict[str, Any]], key: str) -> int:
    return sum(int(line[key]) for line in lines)


if __name__ == "__main__":
    if sys.argv[1:] == ["--tests"]:
        print(*dict.fromkeys(f"tests/{test}" for promise in promises() for test in promise.tests))
        sys.exit()
    file = Path(sys.argv[1])
    text = file.read_text() if file.exists() else ""
    Console(width=None if sys.stdout.isatty() else 130).print(summary([json.loads(line) for line in text.splitlines()]))
