"""A checkout on the login node of a test cluster: the commands a user runs there, and what the cells do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from checkout import DETERMINISTIC, Checkout
from slurm_cluster import Cluster, Job, wait_for

from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths

COMMAND = ("snakemake", "--profile", "slurm", "--config", "preset=demo", "--")
RETRIED = "Trying to restart job"
# The knobs of profiles/slurm/config.yaml, for two nodes of two cores and cells of seconds.
SITE = {
    "PARTITION": "gpu",
    "GRES": "gpu:1",
    "CPUS": "1",
    "MEMORY_MB": "2000",
    "MEMORY_MAX_MB": "6000",
    "RUNTIME_MIN": "20",
    "LOOK_S": "1",
}


@dataclass(frozen=True)
class LoginNode(Checkout):
    """The checkout, and the cluster whose nodes share it."""

    cluster: Cluster
    knobs: tuple[tuple[str, str], ...] = ()
    """Further settings, or other values than in `SITE`."""
    controllers: list[subprocess.Popen[str]] = field(default_factory=list)
    """The controllers started here."""

    @property
    def environment(self) -> dict[str, str]:
        before = super().environment
        knobs = {f"CENBENCH_SLURM_{name}": value for name, value in {**SITE, **dict(self.knobs)}.items()}
        return {**before, **knobs, "PATH": f"{self.cluster.bin}{os.pathsep}{before['PATH']}"}

    def controller(self, target: str = "all_tables") -> subprocess.Popen[str]:
        """Start the command as a user would; its output goes to `output`."""
        with (self.root / "output").open("a") as output:
            started = subprocess.Popen(
                [*COMMAND, target],
                cwd=self.root,
                env=self.environment,
                start_new_session=True,
                stdout=output,
                stderr=output,
            )
        self.controllers.append(started)
        return started

    def leave(self) -> None:
        """End the controllers and jobs that a test has left."""
        for each in self.controllers:
            each.kill()
            each.wait()
        if jobs := self.cluster.jobs():
            self.cluster("scancel", *(job.id for job in jobs))
            wait_for(lambda: not self.cluster.jobs(), 60, "an empty queue")

    @property
    def output(self) -> str:
        """The output of all controllers so far."""
        return (self.root / "output").read_text()

    def finished(self, controller: subprocess.Popen[str]) -> dict[str, bytes]:
        """Wait until the controller succeeds; returns the files that must not depend on the disturbance."""

        def ended() -> bool:
            self.cluster.hurry()
            return controller.poll() is not None

        wait_for(ended, 600, "the controller's end")
        assert controller.returncode == 0, self.output
        return self.bytes_of(*DETERMINISTIC)

    def training(self) -> str:
        """Wait for a cell that has saved a state and is still training; returns its id."""
        found: list[str] = []

        def look() -> list[str]:
            found.extend(cell for cell, state in self._states.items() if (state / "state.pt").exists())
            return found

        wait_for(look, 240, "a cell with a saved state")
        return found[0]

    def continued_where_it_stopped(self, cell: str) -> bool:
        """Whether a run of the cell saved its state when it was stopped, and the next run resumed at that step."""
        stopped = re.search(r"stopped at step (\d+) of", self.log(cell))
        return stopped is not None and f"resuming at step {stopped[1]} of" in self.log(cell)

    def process_of(self, cell: str) -> psutil.Process:
        """The process that trains this cell."""
        command = ["-m", "cenbench", "run", cell]
        found = [each for each in psutil.process_iter(["cmdline"]) if (each.info["cmdline"] or [])[1:5] == command]
        (process,) = found
        return process

    def log(self, cell: str) -> str:
        """The log of all runs of the cell."""
        return (self._states[cell] / "run.log").read_text()

    def job_of(self, cell: str) -> Job:
        """The job that runs this cell."""
        return next(iter(self.running(cell)))

    def running(self, cell: str) -> list[Job]:
        """The jobs that run this cell: one or none."""
        return [job for job in self.cluster.jobs() if job.is_for(cell) and job.state == "RUNNING"]

    @property
    def _states(self) -> dict[str, Path]:
        """Id -> state folder of the cells of table 7, which `make_long` lengthens."""
        plan = load_plan(self.root / "params", "demo")
        return {cell.id: Paths(self.root).state(cell) for cell in plan.cells_of("table7")}


@contextmanager
def fault(name: str) -> Iterator[None]:
    """Record whether the fault was survived, as a line of CENBENCH_FAULTS_OUT if that is set (`make test-faults`)."""
    survived = 0
    try:
        yield
        survived = 1
    finally:
        if path := os.environ.get("CENBENCH_FAULTS_OUT"):
            with Path(path).open("a") as file:
                print(json.dumps({"fault": name, "tries": 1, "survived": survived, "lost": 1 - survived}), file=file)
