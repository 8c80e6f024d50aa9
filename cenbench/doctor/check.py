"""One check: its name, its outcome, what was found, and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["ok", "warning", "problem"]
FORMAT = 1


@dataclass(frozen=True)
class Check:
    """ok: as it should be. warning: a run works, at least in part. problem: a run would fail or give wrong results."""

    name: str
    outcome: Outcome
    found: str
    fix: str | None = None


def has_problem(checks: Sequence[Check]) -> bool:
    """Whether something must be fixed before a run."""
    return any(check.outcome == "problem" for check in checks)


def checks_document(preset: str, checks: Sequence[Check], next_command: str) -> dict[str, Any]:
    """What `cenbench doctor --json` prints (docs/status.md)."""
    entries = [asdict(check) for check in checks]
    return {"format": FORMAT, "preset": preset, "checks": entries, "next": next_command}
