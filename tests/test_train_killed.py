"""kill -9 at any instant, or a disk that fills at any write, then the same command: the same bytes on CPU."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkout import REPOSITORY, Checkout
from faults import KILLS, Tally

from cenbench.matrix.plan import load_plan

pytestmark = pytest.mark.faults
KINDS = ("segmentation", "translation")
KEPT = ("metrics.json", "history.csv", "weights.safetensors", "*.png")
REPORT = ("table*.csv", "table*.tex", "table*.json", "table*.html", "index.html", "plots.csv", "metrics.json")
EVERY = KILLS >= 100
"""Whether every durable moment is tried, not a sample of them."""


def kept(root: Path) -> dict[str, bytes]:
    files = [file for pattern in KEPT for file in (root / "results").rglob(pattern)]
    files += [file for pattern in REPORT for file in (root / "reports").rglob(pattern)]
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(files)}


class Runs:
    """One cell of the checkout, run in forks with faults, and held against a run without any."""

    def __init__(self, checkout: Checkout, kind: str) -> None:
        self.root = checkout.root
        cells = load_plan(checkout.root / "params", "demo").cells.values()
        self.cell = [cell for cell in cells if cell.task.kind == kind][-1]
        self.moments = 0
        self.expected: dict[str, bytes] = {}

    def run(self, *plans: str) -> dict[str, dict[str, Any]]:
        """Run an undisturbed plan, then these; plan -> what `cell_process.py` says of it."""
        command = [sys.executable, str(REPOSITORY / "tests" / "cell_process.py"), str(self.root), self.cell.id]
        command += [plan for plan in ("0", *plans) if not (self.root / plan).exists()]
        environment = {**os.environ, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550)
        assert done.returncode == 0, done.stdout + done.stderr
        said = {line["plan"]: line for line in map(json.loads, done.stdout.splitlines())}
        if "0" in said:
            self.moments, self.expected = said["0"]["moments"], kept(self.root / "0")
        return said

    def check(self, plan: str) -> None:
        """The files of that plan are those of the undisturbed run, and nothing else is left behind."""
        root = self.root / plan
        assert kept(root) == self.expected, plan
        assert not list(root.rglob("*.pt")), "a finished cell keeps no resumable state"
        assert not list(root.rglob("*failure.json")), "nor what a run before it failed of"


@pytest.mark.parametrize("kind", KINDS)
def test_killed_before_a_durable_moment(checkout: Checkout, kind: str, faults: Callable[[str], Tally]) -> None:
    """The first and second file of the first state, between states, twice in one training, and the last ones: weights,
    history, the note, samples, metrics.json and the report, file by file."""
    runs = Runs(checkout, kind)
    runs.run()
    names = {Path(name).name for name in runs.expected}
    assert names >= {"metrics.json", "history.csv", "weights.safetensors", "000.png", "index.html"}
    chosen = range(1, runs.moments + 1) if EVERY else (1, 2, 5, 11, *range(runs.moments - 80, runs.moments + 1, 8))
    plans = [f"{number},0" for number in chosen] + ["7,6,12,0"]
    tally = faults("kill -9 during a write (state, weights, metrics, report)")
    runs.run(*plans)
    for plan in plans:
        with tally.one():
            runs.check(plan)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_a_random_moment(checkout: Checkout, kind: str, faults: Callable[[str], Tally]) -> None:
    runs, draw = Runs(checkout, kind), random.Random(f"{kind} 4")
    tally = faults("kill -9 of a training at a random moment")
    wanted = (KILLS + 1) // 2
    tried = runs.run(*(f"at{draw.uniform(0, 1):.4f},0" for _ in range(wanted * 2)))
    killed = [plan for plan, said in tried.items() if said["killed"] and plan != "0"][:wanted]
    assert len(killed) == wanted, "most of them are to be killed before they end by themselves"
    for plan in killed:
        with tally.one():
            runs.check(plan)


@pytest.mark.parametrize("kind", KINDS)
def test_disk_full_at_a_write(checkout: Checkout, kind: str, faults: Callable[[str], Tally]) -> None:
    """The message is `no room to write ...; ... same command again`, which then ends as if nothing had been."""
    runs = Runs(checkout, kind)
    runs.run()
    chosen = range(1, runs.moments + 1) if EVERY else (1, 2, 6, 10, *range(runs.moments - 78, runs.moments + 1, 9))
    plans = [f"full{number},0" for number in chosen]
    tally = faults("disk full at a write")
    runs.run(*plans)
    for plan in plans:
        with tally.one():
            runs.check(plan)
