"""The summary at the end of `make test-faults`: how often each fault was tried and survived.

A test reports through the fixture `faults`, which appends a line of JSON, {"fault", "tries", "survived", "lost"}, to
the file that CENBENCH_FAULTS_OUT names. `python tests/faults.py FILE` prints the table.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

KILLS = int(os.environ.get("CENBENCH_KILLS", "10"))
"""How often a training is killed at a random moment; `make test-faults CENBENCH_KILLS=100` for more."""


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

    def report(self) -> None:
        """Append to the file CENBENCH_FAULTS_OUT, if it is set: in one write, because test processes share it."""
        out = os.environ.get("CENBENCH_FAULTS_OUT")
        if out:
            line = {"fault": self.fault, "tries": self.tries, "survived": self.survived}
            with Path(out).open("a") as file:
                file.write(json.dumps({**line, "lost": self.tries - self.survived}) + "\n")


def summary(lines: list[dict[str, object]]) -> Table:
    """One row per fault, by name; several tests of one fault are added up."""
    table = Table(title="Faults", show_footer=True)
    total = {key: sum(int(str(line[key])) for line in lines) for key in ("tries", "survived", "lost")}
    table.add_column("fault", footer="all")
    for key, count in total.items():
        table.add_column(key, footer=str(count), justify="right")
    for fault in sorted({str(line["fault"]) for line in lines}):
        same = [line for line in lines if line["fault"] == fault]
        counts = {key: sum(int(str(line[key])) for line in same) for key in total}
        style = "bold red" if counts["lost"] else ""
        table.add_row(fault, *(str(count) for count in counts.values()), style=style)
    return table


if __name__ == "__main__":
    file = Path(sys.argv[1])
    text = file.read_text() if file.exists() else ""
    Console(width=None if sys.stdout.isatty() else 110).print(summary([json.loads(line) for line in text.splitlines()]))
