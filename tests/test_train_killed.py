"""kill -9 at any instant, or a disk that fills at any write, then the same command: the same bytes on CPU."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from checkout import REPOSITORY, Checkout
from faults import KILLS, Tally

from cenbench.matrix.plan import load_plan

pytestmark = pytest.mark.timeout(3600)
KEPT = ("metrics.json", "history.csv", "weights.safetensors", "gammas.safetensors", "*.png")
REPORT = ("table*.csv", "table*.tex", "table*.json", "table*.html", "index.html", "plots.csv", "metrics/*/*.json")
# Durable moments (an fsync or a rename): of the first state, in the middle of training, and from the end backwards
# those of weights, note, samples, metrics.json and report, file by file. What is written after training is the same
# code for both kinds of cell, so by default each kind has its share of them.
ALL = range(1, 116, 8)
DEATHS: dict[str, Sequence[int]] = {"segmentation": (-48,), "translation": (2, -26)}
FULL_DISKS: dict[str, Sequence[int]] = {"segmentation": (40, -9), "translation": (-70,)}
if KILLS >= 100:
    DEATHS = FULL_DISKS = {"segmentation": ALL, "translation": ALL}


def kept(root: Path) -> dict[str, bytes]:
    files = [file for pattern in KEPT for file in (root / "results").rglob(pattern)]
    files += [file for pattern in REPORT for file in (root / "reports").rglob(pattern)]
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(files)}


@dataclass(frozen=True)
class Runs:
    """One cell that was run in forks with faults, and what is to come out: the files of a run without any."""

    root: Path
    said: dict[str, dict[str, Any]]
    """Plan -> what `cell_process.py` printed for it."""
    expected: dict[str, bytes]

    def plans(self, kind: str) -> list[str]:
        return [plan for plan in self.said if plan.startswith(kind) and plan != "whole"]

    def check(self, plan: str) -> None:
        """The last run ended well, with the files of the undisturbed run and nothing else left behind."""
        root = self.root / plan
        assert self.said[plan]["ends"][-1] == 0, self.said[plan]["said"]
        assert kept(root) == self.expected, plan
        assert not list(root.rglob("*.pt")), "a finished cell keeps no resumable state"
        assert not list(root.rglob("failure.json")), "nor what a run before it failed of"


@pytest.fixture(scope="module", params=["segmentation", "translation"])
def runs(request: pytest.FixtureRequest, prepared_checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    root = tmp_path_factory.mktemp(request.param)
    for part in ("cenbench", "params", "data"):  # nothing is written there but caches
        (root / part).symlink_to(prepared_checkout.root / part)
    cells = load_plan(root / "params", "demo").cells.values()
    cell = [cell for cell in cells if cell.task.kind == request.param][-1]
    draw = random.Random(f"{request.param} 4")
    moments = [f"at{draw.uniform(0, 0.9):.9f},whole" for _ in range((KILLS + 1) // 2)]
    deaths = ["die7,die6,whole", *(f"die{number},whole" for number in DEATHS[request.param])]
    plans = ["whole", *deaths, *(f"full{number},whole" for number in FULL_DISKS[request.param]), *moments]
    command = [sys.executable, str(REPOSITORY / "tests" / "cell_process.py"), str(root), cell.id, *plans]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = {line["plan"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert said["whole"]["ends"] == [0], said["whole"]["said"]
    return Runs(root, said, kept(root / "whole"))


def test_the_run_that_all_are_held_against_is_whole(runs: Runs) -> None:
    names = {Path(name).name for name in runs.expected}
    assert names >= {"metrics.json", "history.csv", "gammas.safetensors", "weights.safetensors"}
    assert names >= {"000.png", "index.html"}
    assert runs.said["whole"]["moments"] >= 116


def test_killed_before_a_durable_moment(runs: Runs, faults: Callable[[str], Tally]) -> None:
    tally = faults("kill -9 during a write (state, weights, metrics, report)")
    for plan in runs.plans("die"):
        with tally.one():
            assert set(runs.said[plan]["ends"][:-1]) == {-signal.SIGKILL}
            runs.check(plan)


def test_killed_at_a_random_moment(runs: Runs, faults: Callable[[str], Tally]) -> None:
    tally = faults("kill -9 of a training at a random moment")
    assert len(runs.plans("at")) == (KILLS + 1) // 2
    for plan in runs.plans("at"):
        with tally.one():
            assert runs.said[plan]["ends"][0] == -signal.SIGKILL
            runs.check(plan)


def test_disk_full_at_a_write(runs: Runs, faults: Callable[[str], Tally]) -> None:
    tally = faults("disk full at a write")
    for plan in runs.plans("full"):
        with tally.one():
            said = runs.said[plan]["said"]
            assert runs.said[plan]["ends"][0] == 2, said
            assert "no room to write" in said
            assert "rerun the command" in said
            assert "Traceback" not in said
            runs.check(plan)
