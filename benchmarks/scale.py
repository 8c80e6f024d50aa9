"""Measure how scheduling and reporting grow: the paper preset with many seeds and a stand-in for training.

    python benchmarks/scale.py                            4 seeds: 628 cells, all of them run
    python benchmarks/scale.py --seeds 64 --run-s 300     10,048 cells: run for 5 minutes, then lay out the rest
    python benchmarks/scale.py --seeds 320 --dry-only     53,122 cells: only the dry run
    python benchmarks/scale.py --seeds 64 --pages-only    10,626 cells: only read their records and render every page
    python benchmarks/scale.py --rows 250 1000 4000       only render tables of that many rows
    python benchmarks/scale.py --growth                   only rows, columns, seeds and tables: CPU s per doubling

In a temporary checkout, benchmarks/stand_in_cell.py, which sleeps and writes, replaces `cenbench run`; params,
workflow, reports and all other commands are the real ones. Times and peaks are those of the measured process, without
the jobs it starts. The results are in docs/scaling.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import long_table
import stand_in_cell
from growth import growth_tables
from plan import with_seeds
from rich.console import Console
from rich.table import Column, Table

from cenbench.cpus import allotted_cpus
from cenbench.data.manifest import Manifest, split_limits, write_manifest
from cenbench.files import sealed_text
from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import measured_metrics
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import DatasetSpec, dataset_key
from cenbench.paths import Paths
from cenbench.records.digests import current_digests
from cenbench.records.verify import FORMAT

REPOSITORY = Path(__file__).parents[1]
PARTS = ("cenbench", "workflow", "profiles", "Snakefile", "params")
PRESET = ("--config", "preset=paper")
TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """One process: its own wall and CPU seconds, peak resident memory, and exit status (None: stopped by us)."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    status: int | None


def measured(command: list[str], root: Path, stop_after_s: float | None = None) -> Measured:
    """Run a command in `root`, which must succeed; after `stop_after_s` it is killed with everything it started."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    start = time.perf_counter()
    log = (root / "measured.log").open("w")
    process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True)
    cpu_s = peak_mib = 0.0
    stopped = False
    while process.poll() is None:
        cpu_s, peak_mib = _usage(process.pid) or (cpu_s, peak_mib)
        if stop_after_s and time.perf_counter() - start > stop_after_s:
            stopped = True
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.05)
    log.close()
    if process.returncode and not stopped:
        sys.exit(f"{' '.join(command)} failed:\n{(root / 'measured.log').read_text()[-3000:]}")
    return Measured(time.perf_counter() - start, cpu_s, peak_mib, None if stopped else process.returncode)


def _usage(pid: int) -> tuple[float, float] | None:
    """CPU seconds without children, and peak MiB, of a live process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return ((int(fields[11]) + int(fields[12])) / TICKS_S, int(peak[1]) / 1024) if peak else None


def make_checkout(root: Path, seeds: int) -> Plan:
    """A copy of this checkout with that many seeds, datasets that pass as prepared, and the stand-in in place."""
    root.mkdir()
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / part)
    shutil.copy(stand_in_cell.__file__, root / "cenbench" / "__main__.py")
    with_seeds(root / "params", seeds)
    paths, plan = Paths(root), load_plan(root / "params", "paper")
    for dataset in plan.datasets:
        write_manifest(paths.data / dataset_key(dataset), _manifest(dataset))
    return plan


def write_stand_ins(plan: Plan, root: Path) -> None:
    """What benchmarks/stand_in_cell.py copies for each cell, without syncing each file to disk."""
    paths, folder = Paths(root), root / "stand-in"
    folder.mkdir()
    for cell in plan.cells.values():
        provenance = {"revision": "stand-in", "train_s": 1.0, "cell_id": cell.id}
        (folder / f"{cell.id}.json").write_text(sealed_text(_record(cell, paths)), encoding="utf-8")
        (folder / f"{cell.id}.provenance.json").write_text(sealed_text(provenance), encoding="utf-8")
        (folder / f"{cell.id}.training-id").write_text(cell.training_id)


def _manifest(spec: DatasetSpec) -> Manifest:
    """A dataset that passes as prepared until it is opened."""
    return Manifest(
        name=spec.name,
        version=spec.version,
        spec=spec,
        size_px=spec.shape_px,
        splits=split_limits(spec),
        modalities={},
        classes=(),
        files={},
        licence="none",
        citation="none",
    )


def _record(cell: Cell, paths: Paths) -> dict[str, object]:
    """The `metrics.json` of a finished cell with every number its seed in thousandths, which any metric can be."""
    numbers = dict.fromkeys(measured_metrics(cell.task.kind), cell.seed / 1000)
    return {
        "format": FORMAT,
        "cell_id": cell.id,
        "training_id": cell.training_id,
        "state": "ok",
        "reason": None,
        "cell": cell.model_dump(mode="json"),
        "digests": current_digests(cell, paths.data).as_dict(),
        "weights_sha256": "0" * 64,
        "origin": "trained",
        "metrics": dict.fromkeys(cell.streams, numbers),
        "stand_in": {},
        "parameters": {"total": 1, "fusion": 0, "flops": 1},
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in stand_in_cell.FILES.items()},
    }


def lay_out(plan: Plan, root: Path) -> None:
    """Write the files of every cell without running it."""
    (root / "results" / "logs").mkdir(parents=True, exist_ok=True)
    for cell in plan.cells:
        stand_in_cell.finish(cell, root)
        (root / "results" / "logs" / f"{cell}.log").write_text(stand_in_cell.LOG)


def inodes(root: Path) -> int:
    """Files and folders below `root`."""
    return sum(len(folders) + len(files) for _, folders, files in os.walk(root))


def page_steps(plan: Plan, root: Path) -> Iterator[tuple[str, Measured]]:
    """Every record read and every page rendered: all of them written, then none of them changed."""
    report = [sys.executable, "-m", "cenbench", "report", "--preset", "paper"]
    lay_out(plan, root)
    yield "render every page and table, first time", measured(report, root)
    yield "again, nothing changed", measured(report, root)


def steps(plan: Plan, root: Path, run_s: float | None, dry_only: bool) -> Iterator[tuple[str, Measured]]:
    """Every command a user would start, in that order."""
    snakemake, cenbench = ["snakemake", "all_tables", *PRESET], [sys.executable, "-m", "cenbench"]
    report = [*cenbench, "report", "--preset", "paper"]
    yield "dry run, nothing made yet", measured([*snakemake, "-n"], root)
    if dry_only:
        return
    ran = measured(snakemake, root, run_s)
    done = len(list((root / "results" / "cells").glob("*/metrics.json")))
    yield f"run: {done} cells and, unless stopped, the tables", ran
    largest = max(plan.tables, key=lambda table: len(table.cells)).name
    if ran.status is None:
        lay_out(plan, root)
        yield "render every table and the index", measured(report, root)
        yield "snakemake --touch --forceall", measured([*snakemake, "--touch", "--forceall"], root)
    yield "run again, nothing to do", measured(snakemake, root)
    yield f"render the largest, {largest}", measured([*report, "--table", largest], root)
    yield "render the index", measured([*report, "--index"], root)
    if "status" in subprocess.run([*cenbench, "--help"], cwd=root, capture_output=True, text=True, check=True).stdout:
        yield "cenbench status --json", measured([*cenbench, "status", "--preset", "paper", "--json"], root)


def render_times(rows: Iterable[int]) -> Table:
    """CPU seconds to build and render tables of that many rows."""
    table = Table("rows", *(Column(name, justify="right") for name in long_table.STEPS), title="CPU s per step")
    for count in rows:
        taken = long_table.cpu_seconds(long_table.long_table(REPOSITORY / "params", "table7", count))
        table.add_row(f"{count:,}", *(f"{seconds:.2f}" for seconds in taken.values()))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4, help="seeds of the paper preset, 157 cells each")
    parser.add_argument("--run-s", type=float, help="stop running cells after this many seconds, and lay out the rest")
    parser.add_argument("--dry-only", action="store_true", help="only the dry run, with nothing made yet")
    parser.add_argument("--pages-only", action="store_true", help="run no cell: only render every page")
    parser.add_argument("--growth", action="store_true", help="only how planning and rendering grow in each direction")
    parser.add_argument("--rows", type=int, nargs="*", help="only render tables of this many rows, at most 3 s each")
    options = parser.parse_args()
    console = Console()
    if options.rows:
        console.print(render_times(options.rows))
        return
    if options.growth:
        for table in growth_tables(REPOSITORY / "params"):
            console.print(table)
        return
    with tempfile.TemporaryDirectory(prefix="cenbench-scale-") as folder:
        root = Path(folder) / "checkout"
        plan = make_checkout(root, options.seeds)
        if not options.dry_only:
            write_stand_ins(plan, root)
        table = Table("step", *(Column(name, justify="right") for name in ("wall s", "CPU s", "peak MiB")))
        table.title = f"{len(plan.cells)} cells, {allotted_cpus()} CPU cores"
        chosen = steps(plan, root, options.run_s, options.dry_only)
        for step, took in page_steps(plan, root) if options.pages_only else chosen:
            row = (step, f"{took.wall_s:.1f}", f"{took.cpu_s:.1f}", f"{took.peak_mib:.0f}")
            console.log(" | ".join(row))
            table.add_row(*row)
        console.print(table)
        if options.dry_only or options.pages_only:
            return
        for name in ("results", "reports", ".snakemake"):
            console.print(f"inodes below {name}: {inodes(root / name) / len(plan.cells):.1f} per cell")


if __name__ == "__main__":
    main()
