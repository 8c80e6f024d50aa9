"""Measure everything on one GPU that only a GPU shows, in at most six minutes, without network.

    python benchmarks/gpu.py                                     writes results/gpu.jsonl
    python benchmarks/gpu.py --out FILE --parts steps,sharing
    python benchmarks/gpu.py --device cpu --size tiny            the same code on a CPU, in seconds
    python benchmarks/gpu_table.py FILE                          the table of benchmarks/README.md

Each part is a process with its own time limit, and each result is on disk before the next measurement starts: whatever
ends this command, FILE has what was measured until then. Exits with status 1 if a part failed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from gpu_parts.results import FAILED, OK, Deadline, Results, read_rows

# Part -> (module and function, limit in seconds of a full run). The limits add up to the default budget; the README
# explains them. Imports of torch count.
PARTS = {
    "checks": ("gpu_parts.checks.run_checks", 60),
    "steps": ("gpu_parts.steps.run_steps", 100),
    "input": ("gpu_parts.inputs.run_input", 35),
    "sharing": ("gpu_parts.sharing.run_sharing", 40),
    "training": ("gpu_parts.training.run_training", 80),
    "compile": ("gpu_parts.steps.run_compiled", 40),
}
BUDGET_S = 360
STOPPING_S = 3.0
"""A part stops by itself this long before its limit."""


def main() -> int:
    options = _options()
    if options.part:
        return run_part(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    whole, before = Deadline.after(options.budget_s), len(read_rows(options.out)) if options.out.exists() else 0
    for part in options.parts:
        limit_s = min(PARTS[part][1] * options.budget_s / BUDGET_S, whole.left_s)
        results = Results(options.out, part)
        if limit_s < STOPPING_S:
            results.skipped(part, "no time left in the budget")
            continue
        run_child(results, options, limit_s)
    rows = read_rows(options.out)[before:]
    failed, ok = (sum(row["status"] == status for row in rows) for status in (FAILED, OK))
    skipped = len(rows) - failed - ok
    print(f"{ok} measured, {failed} failed, {skipped} skipped; {options.budget_s - whole.left_s:.0f} s: {options.out}")
    return 1 if failed else 0


def run_child(results: Results, options: argparse.Namespace, limit_s: float) -> None:
    """Run one part as a process group, and end the group at its limit."""
    arguments = ["--out", options.out, "--device", options.device, "--size", options.size]
    until = time.monotonic() + limit_s - STOPPING_S  # a clock that all processes of a machine share
    command = [sys.executable, __file__, *arguments, "--part", results.part, "--until", until]
    child = subprocess.Popen([str(word) for word in command], start_new_session=True)
    try:
        status = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        results.failed(results.part, f"stopped at its limit of {limit_s:.0f} s; what it had measured is above")
    else:
        if status:
            results.failed(results.part, f"its process ended with status {status}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def run_part(options: argparse.Namespace) -> int:
    """Inside a part's process: run it. An error ends this part only, and is recorded."""
    import torch

    from cenbench.errors import UserError
    from cenbench.train.device import choose_device

    results, deadline = Results(options.out, options.part), Deadline(options.until)
    module, function = PARTS[options.part][0].rsplit(".", 1)
    try:
        device = choose_device(options.device)
        if device.type == "cpu":
            torch.set_num_threads(1)
        getattr(import_module(module), function)(results, device, options.size, deadline)
    except UserError as error:
        results.failed(options.part, str(error).splitlines()[0])
    except Exception as error:
        import traceback

        traceback.print_exc()
        results.failed(options.part, error)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/gpu.jsonl"), help="append results to this file")
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--size", default="paper", choices=("tiny", "paper"), help="tiny: a test's networks and images")
    parser.add_argument("--parts", type=_parts, default=list(PARTS), help=f"comma-separated, of {', '.join(PARTS)}")
    parser.add_argument("--budget-s", type=float, default=BUDGET_S, help="seconds for everything; limits scale with it")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"unknown part {unknown[0]!r}; expected: {', '.join(PARTS)}")
    return names


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
