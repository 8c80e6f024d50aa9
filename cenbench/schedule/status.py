"""What every cell of a plan is doing, read from files alone: no controller or scheduler has to run. Torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths
from cenbench.process import how_to_go_on
from cenbench.records.read import CellRecord, read_record
from cenbench.run.heartbeat import Beat, read_beat
from cenbench.schedule.submitted_jobs import submitted_job

Activity = Literal["running", "stopped", "lost", "queued", "failed", "damaged", "stale", "skipped", "missing", "ok"]
STATES: tuple[Activity, ...] = get_args(Activity)
"""In display order: what needs attention first."""
FINISHED: tuple[Activity, ...] = ("ok", "skipped")
FORMAT = 2
"""2: `stopped` is a state of its own."""


@dataclass(frozen=True)
class CellStatus:
    """A cell's state at one moment.

    running  its heartbeat is fresh; on this host, its process exists
    stopped  its process exists on this host and is suspended (SIGSTOP, Ctrl-Z): it holds the cell, and does nothing
    lost     its heartbeat stopped: the process was killed, or its node went down; on this host, its process is gone
    queued   submitted to a scheduler, and not started yet
    ok, failed, damaged, skipped, stale, missing  as in `CellRecord`; no process runs the cell
    """

    cell_id: str
    tables: tuple[str, ...]
    """The tables and figures that show it."""
    state: Activity
    reason: str | None
    now: float
    """The moment, in Unix seconds."""
    beat: Beat | None = None
    """The last heartbeat, for a cell that is running, stopped or lost."""
    job: str | None = None
    """The scheduler's job, for a cell that is queued, running, stopped or lost."""
    log: Path | None = None

    @property
    def age_s(self) -> float | None:
        """Seconds since the last heartbeat."""
        return None if self.beat is None else max(0.0, self.beat.age_s(self.now))

    @property
    def idle_s(self) -> float | None:
        """Seconds since a running cell last reported a step or a new phase."""
        if self.beat is None or self.state != "running":
            return None
        return max(0.0, self.now - self.beat.progressed)

    @property
    def left_s(self) -> float | None:
        """Seconds of training left, for a running cell that knows its rate."""
        if self.beat is None or self.beat.left_s is None or self.state != "running":
            return None
        return max(0.0, self.beat.left_s - max(0.0, self.beat.age_s(self.now)))

    def as_dict(self) -> dict[str, Any]:
        """One entry of `status_document`."""
        beat = self.beat
        return {
            "cell_id": self.cell_id,
            "tables": list(self.tables),
            "state": self.state,
            "reason": self.reason,
            "phase": beat.phase if beat else None,
            "step": beat.step if beat else None,
            "total": beat.total if beat else None,
            "steps_per_s": beat.steps_per_s if beat else None,
            "left_s": self.left_s,
            "heartbeat_age_s": self.age_s,
            "idle_s": self.idle_s,
            "host": beat.host if beat else None,
            "node": beat.node if beat else None,
            "pid": beat.pid if beat else None,
            "job": self.job,
            "log": str(self.log) if self.log else None,
        }


def plan_status(plan: Plan, paths: Paths, now: float) -> list[CellStatus]:
    """The status of every cell of the plan at `now` (Unix seconds), in the plan's order."""
    return [cell_status(plan, paths, cell, now) for cell in plan.cells.values()]


def counts(cells: Sequence[CellStatus]) -> dict[Activity, int]:
    """Number of cells per state; every state is listed."""
    found = Counter(cell.state for cell in cells)
    return {state: found[state] for state in STATES}


def all_ended(cells: Sequence[CellStatus]) -> bool:
    """Whether no cell runs or waits: each is finished or failed."""
    return all(cell.state in (*FINISHED, "failed") for cell in cells)


def started_parts(plan: Plan, cells: Sequence[CellStatus]) -> tuple[list[str], list[str]]:
    """Names of the tables, and of the figures, of which a cell was started that no other one shows; all of them before
    the first start.
    """
    tables, figures = [table.name for table in plan.tables], [figure.name for figure in plan.figures]
    started = [name for name in tables if _is_started(name, cells, plan.tables_of)]
    drawn = [name for name in figures if _is_started(name, cells, plan.shown_in)]
    return (started, drawn) if started or drawn else (tables, figures)


def _is_started(name: str, cells: Sequence[CellStatus], shown_in: Callable[[str], tuple[str, ...]]) -> bool:
    """Whether one of its own cells was started, or any where it has none of its own; `shown_in` names the others."""
    shown = [(cell, shown_in(cell.cell_id)) for cell in cells]
    shown = [(cell, names) for cell, names in shown if name in names]
    own = [cell for cell, names in shown if len(names) == 1] or [cell for cell, _ in shown]
    return any(cell.state != "missing" or cell.log is not None for cell in own)


def status_document(plan: Plan, cells: Sequence[CellStatus], now: float) -> dict[str, Any]:
    """What `cenbench status --json` prints (docs/status.md). `format` changes when its meaning does."""
    entries: list[Mapping[str, Any]] = [cell.as_dict() for cell in cells]
    return {"format": FORMAT, "preset": plan.preset, "time": now, "counts": counts(cells), "cells": entries}


def cell_status(plan: Plan, paths: Paths, cell: Cell, now: float) -> CellStatus:
    """The status of one cell of the plan at `now` (Unix seconds)."""
    record, beat = read_record(paths, cell), read_beat(paths.state(cell))
    # Cells with the same training share the folder; the beat belongs to the cell it names.
    if beat is not None and beat.cell_id != cell.id:
        beat = None
    state, reason, job = _state(paths, record, beat, now)
    seen = beat if state in ("running", "stopped", "lost") else None
    return CellStatus(cell.id, plan.shown_in(cell.id), state, reason, now, seen, job, record.log)


def _state(paths: Paths, record: CellRecord, beat: Beat | None, now: float) -> tuple[Activity, str | None, str | None]:
    """State, reason and job. A finished record outweighs a stopped heartbeat: its run died after publishing.

    On this host the process decides, as it does for the next run (`cell_lock`); on another one, the heartbeat.
    """
    fate = beat.fate_in(paths.state(record.cell)) if beat is not None else "unknown"
    if beat is not None and fate == "stopped":
        return "stopped", f"{beat.who} is stopped while {beat.phase}: {how_to_go_on(beat.process)}", beat.job
    if beat is not None and fate == "running" and not beat.is_fresh(now):
        silent = f"no heartbeat for {beat.age_s(now):.0f} s, but {beat.who} exists: the next run waits for it to end"
        return "running", silent, beat.job
    if beat is not None and fate != "ended" and beat.is_fresh(now):
        return "running", None, beat.job
    if record.state in FINISHED:
        return record.state, record.reason, None
    if beat is not None:
        here = "its process ended" if beat.process.fate == "ended" else "the folder was copied"
        ended = here if fate == "ended" else "its heartbeat stopped"
        return "lost", f"{ended} while {beat.phase}; the next run resumes from the saved state", beat.job
    job = submitted_job(paths.root, record.cell)
    if job is not None:
        return "queued", f"submitted as job {job}", job
    return record.state, record.reason, None
