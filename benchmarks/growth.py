"""How planning and reporting grow with rows, columns, seeds and tables: for benchmarks/scale.py."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import long_table
from plan import PARAMS, with_seeds
from rich.table import Column, Table

from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.schedule.dag import Dag

Steps = dict[str, float]
"""Step -> CPU seconds."""


def rows(params: Path, count: int) -> Steps:
    return long_table.cpu_seconds(long_table.long_table(params, "table7", count))


def columns(params: Path, count: int) -> Steps:
    return long_table.cpu_seconds(long_table.wide_table(params, "table7", count))


def seeds(params: Path, count: int) -> Steps:
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(params, Path(folder) / "params")
        with_seeds(copy, count)
        return _whole_preset(copy.parent)


def tables(params: Path, count: int) -> Steps:
    with tempfile.TemporaryDirectory() as folder:
        return _whole_preset(copy_of_table7(Path(folder) / "params", count, params).parent)


def copy_of_table7(copy: Path, count: int, params: Path = PARAMS) -> Path:
    """A copy of `params` whose paper preset has `count` copies of table 7 only; they share its cells."""
    shutil.copytree(params, copy)
    text = (copy / "table7.yaml").read_text()
    names = [f"table{number}" for number in range(10, 10 + count)]
    for name in names:
        numbered = re.sub(r"^number: 7$", f"number: {name.removeprefix('table')}", text, flags=re.MULTILINE)
        (copy / f"{name}.yaml").write_text(numbered)
    preset = copy / "presets" / "paper.yaml"
    changed = re.sub(r"^groups: .*\n", "", preset.read_text(), flags=re.MULTILINE)
    preset.write_text(re.sub(r"^tables: .*$", f"tables: [{', '.join(names)}]", changed, flags=re.MULTILINE))
    return copy


DIRECTIONS: Mapping[str, tuple[Callable[[Path, int], Steps], tuple[int, ...]]] = {
    "rows": (rows, (500, 1000, 2000, 4000)),
    "columns": (columns, (16, 32, 64, 128)),
    "seeds": (seeds, (8, 16, 32, 64)),
    "tables": (tables, (8, 16, 32, 64)),
}


def growth_tables(params: Path) -> Iterator[Table]:
    """A table per direction: CPU seconds of each step at each size, and the ratio per doubling, measured in one run."""
    for direction, (measure, sizes) in DIRECTIONS.items():
        measure(params, sizes[0])  # imports and caches are not growth
        taken = [measure(params, size) for size in sizes]
        table = Table(direction, *(Column(name, justify="right") for name in taken[0]), title="CPU s per step")
        for size, seconds in zip(sizes, taken, strict=True):
            table.add_row(f"{size:,}", *(f"{value:.2f}" for value in seconds.values()))
        doublings = len(sizes) - 1
        ratios = ((taken[-1][step] / max(taken[0][step], 1e-9)) ** (1 / doublings) for step in taken[0])
        table.add_section()
        table.add_row("per doubling", *(f"x {ratio:.2f}" for ratio in ratios))
        yield table


def _whole_preset(root: Path) -> Steps:
    """Planning the paper preset in the checkout at `root`, its graph of jobs, and a table of made-up numbers each."""
    taken: Steps = {}
    start = time.process_time()

    def lap(step: str) -> None:
        nonlocal start
        taken[step] = time.process_time() - start
        start = time.process_time()

    plan = load_plan(root / "params", "paper")
    assert plan.cells
    lap("plan")
    dag = Dag(plan, Paths(root), tuple(table.name for table in plan.tables), "")
    dag.all_files()
    for cell in plan.cells:
        wildcards = SimpleNamespace(cell=cell, table="")
        dag.manifest_of(wildcards)
        dag.depends_on(wildcards)
    for table in plan.tables:
        wildcards = SimpleNamespace(cell="", table=table.name)
        dag.metrics_of(wildcards)
        dag.report_depends_on(wildcards)
    lap("jobs")
    filled = [long_table.filled(table) for table in plan.tables]
    lap("tables")
    for table in filled:
        long_table.printed(table)
    lap("terminal")
    return taken
