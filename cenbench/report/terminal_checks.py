"""The checks of `cenbench doctor` in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from cenbench.doctor.check import Check, Outcome
from cenbench.report.terminal import add_row, borderless, literal

_STYLES: dict[Outcome, str] = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def render_checks(checks: Sequence[Check], next_command: str) -> RenderableType:
    """One line per check, with the fix below it if it is not ok; the next command at the end."""
    table = borderless("check", "", "found")
    for column in table.columns[:2]:
        column.no_wrap = True
    for check in checks:
        found = literal(check.found)
        if check.fix and check.outcome != "ok":
            found = Text.assemble(found, "\n", ("fix: ", "bold"), literal(check.fix))
        add_row(table, check.name, literal(check.outcome, _STYLES[check.outcome]), found)
    return Group(table, Text(), literal(f"next: {next_command}"))
