"""The checks of a site in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cenbench.doctor.check import Check, Outcome

_STYLES: dict[Outcome, str] = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def render_checks(checks: Sequence[Check], next_command: str) -> RenderableType:
    """A line a check, below it how to fix what is not ok, and the next command at the end."""
    table = Table(box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found", overflow="fold")
    for check in checks:
        found = Text(check.found)
        if check.fix and check.outcome != "ok":
            found = Text.assemble(found, "\n", ("fix: ", "bold"), check.fix)
        table.add_row(check.name, Text(check.outcome, style=_STYLES[check.outcome]), found)
    return Group(table, Text(), Text(f"next: {next_command}"))
