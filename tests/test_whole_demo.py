"""Two whole demos, one of them killed twice on the way, made the same files: `make test-same-bytes`.

`tests/outcome.py` lists what is not compared: files, and parts of cell pages, that show when and where a run was.
tests/test_pipeline_interrupted.py does the same with a few tiny cells in every test run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import Checkout, copy_code
from outcome import differences, outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]


def real_demo(root: Path) -> Checkout:
    """A checkout with the preset and the tables of this repository."""
    copy_code(root)
    return Checkout(root)


def start(checkout: Checkout, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a command in its own process group; its output goes to a file, since nobody reads it meanwhile."""
    with (checkout.root / "output.log").open("wb") as file:
        return subprocess.Popen(
            command,
            cwd=checkout.root,
            env=checkout.environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def kill_after(checkout: Checkout, command: list[str], records: int) -> None:
    """Run the command until that many cells have a record, then kill it and its cells (kill -9)."""
    process = start(checkout, command)
    while len(list(checkout.root.glob("results/cells/*/metrics.json"))) < records:
        assert process.poll() is None, (checkout.root / "output.log").read_text()
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def finish(checkout: Checkout, command: list[str]) -> None:
    assert start(checkout, command).wait(timeout=3600) == 0, (checkout.root / "output.log").read_text()


@pytest.mark.parametrize(
    ("make", "tables", "kills"), [(Checkout.make, "all", (1, 2)), (real_demo, "table7,table8,table9", (3, 15))]
)
def test_an_interrupted_demo_makes_the_same_files(
    tmp_path: Path, make: Callable[[Path], Checkout], tables: str, kills: tuple[int, ...]
) -> None:
    command = ["snakemake", "all_tables", "--config", f"tables={tables}"]
    whole, interrupted = make(tmp_path / "whole"), make(tmp_path / "interrupted")
    finish(whole, command)
    for records in kills:
        kill_after(interrupted, command, records)
    finish(interrupted, command)
    made, again = outcome(whole.root), outcome(interrupted.root)
    cells = len(list(whole.root.glob("results/cells/*")))
    for name, count in (("metrics.json", cells), ("weights.safetensors", 1), ("index.html", 1)):
        assert len([path for path in made if path.endswith(f"/{name}")]) >= count, "the comparison holds them"
    assert differences(made, again) == []
