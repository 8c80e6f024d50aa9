"""Time the README's main command: from scratch, again with nothing to do, and as a dry run of the paper preset.

    python benchmarks/demo.py               runs in a copy of this checkout, and changes nothing here
    python benchmarks/demo.py --all         also all tables of the demo preset
    python benchmarks/demo.py --dry-only    only the dry run

Goals on 2 CPU cores: at most 360 s for tables 7, 8 and 9, 1200 s for all tables, 10 s to find nothing to do, 4 s for
the dry run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cenbench.cpus import allotted_cpus

REPOSITORY = Path(__file__).parents[1]
PARTS = ("cenbench", "workflow", "profiles", "Snakefile", "params")
RUN = ["all_tables", "--config", "tables=table7,table8,table9"]
ALL = ["all_tables"]
DRY = ["-n", "all_tables", "--config", "preset=paper"]


def seconds(root: Path, arguments: list[str]) -> float:
    """Wall time of one snakemake command in `root`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    start = time.perf_counter()
    subprocess.run(
        ["snakemake", *arguments], cwd=root, env={**os.environ, "PATH": path}, check=True, capture_output=True
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-only", action="store_true", help="only the paper preset's dry run")
    parser.add_argument("--all", action="store_true", help="also all tables of the demo preset (about 40 minutes)")
    options = parser.parse_args()
    table = Table(title=f"snakemake on {allotted_cpus()} CPU cores")
    table.add_column("command")
    for heading in ("s", "goal, s"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "checkout"
        root.mkdir()
        for part in PARTS:
            source = REPOSITORY / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, root / part)
        if not options.dry_only:
            first = seconds(root, RUN)
            table.add_row("tables 7, 8, 9 from scratch (27 cells)", f"{first:.0f}", "360")
            table.add_row("again, nothing to do", f"{seconds(root, RUN):.1f}", "10")
            if options.all:
                table.add_row("all tables from scratch (153 cells)", f"{first + seconds(root, ALL):.0f}", "1200")
                table.add_row("again, nothing to do", f"{seconds(root, ALL):.1f}", "10")
        table.add_row("-n all_tables --config preset=paper (471 cells)", f"{seconds(root, DRY):.1f}", "4")
    Console().print(table)


if __name__ == "__main__":
    main()
