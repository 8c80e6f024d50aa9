"""The progress of a Snakemake run as lines of text, for pipes and CI, where no bar can be drawn. Torch-free."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TextIO

from cenbench.data.manifest import is_prepared
from cenbench.matrix.cost import cell_seconds, dataset_seconds
from cenbench.matrix.cost_lines import duration
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.run.heartbeat import Beat, read_beat
from cenbench.schedule.controller import Workflow
from cenbench.schedule.interruption import Interruption
from cenbench.schedule.step_times import read_step_times

EVERY_S = 10.0
REFRESH_S = 60.0
"""Seconds after which the times of finished cells are read again."""
CELL = "cell"
"""The rule that trains a cell."""
_QUIET = {"ALL", "PROGRESS"}


@dataclass(frozen=True)
class JobCounts:
    """The jobs that a run has to do, and how far they are."""

    cells: frozenset[str]
    """Ids of the cells that the run trains or evaluates."""
    done: frozenset[str]
    failed: frozenset[str]
    started: frozenset[str]
    """Cells whose job runs, or waits in the queue of a cluster."""
    others: tuple[str, ...]
    """Running jobs of other rules, for example `dataset synthrooms-64px-...`."""

    @classmethod
    def of(cls, workflow: Workflow) -> JobCounts | None:
        """The jobs of a run; None before Snakemake has worked out which jobs there are."""
        scheduler, dag = workflow.scheduler, workflow.dag
        if scheduler is None or dag is None:
            return None
        jobs = list(dag.needrun_jobs(exclude_finished=False))  # copied at once: the scheduler's thread changes them
        running = _single(list(scheduler.running))
        return cls(
            cells=_cells(jobs),
            done=_cells(job for job in jobs if dag.finished(job)),
            failed=_cells(_single(list(scheduler.failed))),
            started=_cells(running),
            others=tuple(_name(job) for job in running if job.rule.name != CELL),
        )


def progress_line(jobs: JobCounts, beats: Mapping[str, Beat], left_s: float | None) -> str:
    """`progress: 12 of 27 cells done, 2 running, 0 failed, about 4 min left`, with `beats` of the running cells."""
    parts = [f"{len(jobs.done)} of {len(jobs.cells)} cells done"]
    if jobs.started:
        parts.append(f"{len(beats)} running")
    if waiting := len(jobs.started - beats.keys()):
        parts.append(f"{waiting} starting or queued")
    parts.append(f"{len(jobs.failed)} failed")
    if left_s:
        parts.append(f"about {duration(left_s)} left")
    others = f"; now: {', '.join(jobs.others)}" if jobs.others else ""
    return f"progress: {', '.join(parts)}{others}"


def seconds_left(jobs: JobCounts, beats: Mapping[str, Beat], seconds: Mapping[str, float], workers: int) -> float:
    """Seconds until all cells are done: the running ones at their own rate, the others as long as `seconds` tells.

    As many cells at a time as run now, or `workers` before the first one runs. At least the longest running cell's.
    """
    running_s = {cell_id: _running_s(beat, seconds[cell_id]) for cell_id, beat in beats.items() if cell_id in seconds}
    open_cells = jobs.cells - jobs.done - jobs.failed - running_s.keys()
    waiting_s = sum(seconds[cell_id] for cell_id in open_cells)
    return max((sum(running_s.values()) + waiting_s) / (len(running_s) or workers), *running_s.values(), 0.0)


def _running_s(beat: Beat, whole_s: float) -> float:
    if beat.left_s is not None:
        return beat.left_s
    return 0.0 if beat.phase in ("evaluating", "publishing") else whole_s


class RunProgress:
    """Prints a line every ten seconds, from a thread of its own, and a last one at the end of the run."""

    def __init__(self, plan: Plan, paths: Paths, workflow: Workflow, out: TextIO | None = None) -> None:
        self._plan, self._paths, self._workflow = plan, paths, workflow
        self._out = sys.stderr if out is None else out
        self._ended = threading.Event()
        self._seconds: dict[str, float] = {}
        self._read_at: float | None = None

    def start(self, interruption: Interruption) -> None:
        """Print until the process ends or is interrupted, unless there is a terminal, which shows Snakemake's bars."""
        if not self._out.isatty():
            threading.Thread(target=self._run, args=(interruption,), name="progress", daemon=True).start()
            atexit.register(self.stop)

    def stop(self) -> None:
        """Print the last line, if there was a cell to run."""
        self._ended.set()
        jobs = JobCounts.of(self._workflow)
        if jobs is not None and jobs.cells and not self._is_quiet():
            self._print(progress_line(replace(jobs, started=frozenset(), others=()), {}, None))

    def line(self, now: float) -> str:
        """The progress at `now` (Unix seconds)."""
        jobs = JobCounts.of(self._workflow)
        if jobs is None:
            return "progress: Snakemake is working out which jobs to run"
        beats = self._beats(jobs.started, now)
        left_s = seconds_left(jobs, beats, self._cell_seconds(now), self._plan.cost.workers)
        return progress_line(jobs, beats, left_s + self._datasets_s(jobs))

    def _run(self, interruption: Interruption) -> None:
        while not self._ended.wait(EVERY_S) and not interruption.happened:
            if not self._is_quiet():
                self._print(self.line(time.time()))

    def _is_quiet(self) -> bool:
        """Whether `snakemake --quiet` asks for no progress."""
        quiet = getattr(self._workflow.scheduler, "quiet", None) or ()
        return not _QUIET.isdisjoint(word.name for word in quiet)

    def _print(self, line: str) -> None:
        print(time.strftime("%H:%M:%S"), line, file=self._out, flush=True)

    def _beats(self, started: Collection[str], now: float) -> dict[str, Beat]:
        """The fresh heartbeats of the cells that were started."""
        found = {}
        for cell_id in started:
            folder = self._paths.state(self._plan.cell(cell_id))
            beat = read_beat(folder)
            if beat and beat.cell_id == cell_id and beat.is_at_work(folder, now):
                found[cell_id] = beat
        return found

    def _cell_seconds(self, now: float) -> Mapping[str, float]:
        if self._read_at is None or now - self._read_at > REFRESH_S:
            measured = read_step_times(self._plan, self._paths)
            cells = self._plan.cells.items()
            self._seconds = {cell_id: cell_seconds(cell, self._plan.cost, measured) for cell_id, cell in cells}
            self._read_at = now
        return self._seconds

    def _datasets_s(self, jobs: JobCounts) -> float:
        """Seconds to prepare the datasets that are still missing, by all workers."""
        needed = {self._plan.cell(cell_id).dataset for cell_id in jobs.cells - jobs.done - jobs.failed}
        missing = [dataset for dataset in needed if not is_prepared(self._paths.data / dataset_key(dataset))]
        return sum(dataset_seconds(dataset, self._plan.cost) for dataset in missing) / self._plan.cost.workers


def _single(jobs: Iterable[Any]) -> Sequence[Any]:
    """The jobs, with those of a group in place of the group."""
    return [single for job in jobs for single in (job if job.is_group() else (job,))]


def _cells(jobs: Iterable[Any]) -> frozenset[str]:
    return frozenset(job.wildcards.cell for job in jobs if job.rule.name == CELL)


def _name(job: Any) -> str:
    """`table table7`: the rule and its wildcards."""
    return " ".join([job.rule.name, *(str(value) for value in job.wildcards)])
