"""Time planning: reading params/, expanding every table, computing every cell's id.

The Snakefile plans at every start; the goal for `snakemake -n` of the paper preset is 4 s in total.

    python benchmarks/plan.py            each preset, and the paper's tables with enough seeds for 600 cells

`whole process` starts a fresh interpreter, so it includes the imports (pydantic and PyYAML, but not torch or pandas).
"""

from __future__ import annotations

import math
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cenbench.matrix.plan import load_plan
from cenbench.matrix.preset import load_preset

PARAMS = Path(__file__).parents[1] / "params"
REPEATS = 5
LARGE = 600


def median_s(work: Callable[[], object]) -> float:
    """Median wall time of `work` over the repeats, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def whole_process(params: Path, preset: str) -> None:
    """Plan in a fresh interpreter, down to every cell's id, as the Snakefile does."""
    code = "import sys, pathlib, cenbench.matrix.plan as p; p.load_plan(pathlib.Path(sys.argv[1]), sys.argv[2]).cells"
    subprocess.run([sys.executable, "-c", code, str(params), preset], check=True)


def with_seeds(params: Path, count: int) -> None:
    """Give the paper preset `count` seeds."""
    preset = params / "presets" / "paper.yaml"
    text, changed = re.subn(r"^seeds: .*$", f"seeds: {list(range(count))}", preset.read_text(), flags=re.MULTILINE)
    assert changed == 1
    preset.write_text(text)


def main() -> None:
    print(f"{'preset':24}{'cells':>8}{'plan s':>12}{'whole process s':>18}")
    with tempfile.TemporaryDirectory() as folder:
        large = Path(shutil.copytree(PARAMS, Path(folder) / "params"))
        cells_per_seed = len(load_plan(PARAMS, "paper").cells) / len(load_preset(PARAMS, "paper").seeds)
        with_seeds(large, math.ceil(LARGE / cells_per_seed))
        for label, params, preset in (
            ("demo", PARAMS, "demo"),
            ("study", PARAMS, "study"),
            ("paper", PARAMS, "paper"),
            ("paper, more seeds", large, "paper"),
        ):
            cells = len(load_plan(params, preset).cells)
            plan_s = median_s(lambda: load_plan(params, preset).cells)  # noqa: B023 (called before the next turn)
            process_s = median_s(lambda: whole_process(params, preset))  # noqa: B023
            print(f"{label:24}{cells:8}{plan_s:12.3f}{process_s:18.3f}")


if __name__ == "__main__":
    main()
