"""kill -9 before any durable write, as often as you like, then the same command: the same bytes on CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import REPOSITORY, Checkout

from cenbench.matrix.plan import load_plan

KEPT = ("metrics.json", "history.csv", "weights.safetensors", "*.png")
# Before the first and the second file of the first state, between states, in the middle of training, twice in one
# training; `last` adds the files that finishing and publishing write, counted from the end.
DEATHS = ("1,0", "4,0", "9,0", "5,4,7,0")


def kept(root: Path) -> dict[str, bytes]:
    files = (file for pattern in KEPT for file in (root / "results").rglob(pattern))
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(files)}


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_killed_before_a_write_and_continued_gives_the_same_bytes(checkout: Checkout, kind: str) -> None:
    plan = load_plan(checkout.root / "params", "demo")
    cell = [cell for cell in plan.cells.values() if cell.task.kind == kind][-1]
    writes = run_in_forks(checkout, cell.id, "0")
    expected = kept(checkout.root / "0")
    assert {Path(name).name for name in expected} >= {"metrics.json", "history.csv", "weights.safetensors", "000.png"}
    last = [f"{writes - back},0" for back in (0, 3, 8, 11, 13)]
    run_in_forks(checkout, cell.id, *DEATHS, *last)
    for deaths in (*DEATHS, *last):
        assert kept(checkout.root / deaths) == expected, f"killed before write {deaths}"
        assert not list((checkout.root / deaths).rglob("*.pt")), "a finished cell keeps no resumable state"


def run_in_forks(checkout: Checkout, cell_id: str, *plans: str) -> int:
    """Run the plans of `cell_process.py`; how many durable writes the last whole run made."""
    command = [sys.executable, str(REPOSITORY / "tests" / "cell_process.py"), str(checkout.root), cell_id, *plans]
    environment = {**os.environ, "PYTHONPATH": str(checkout.root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])
