"""How long the README's main command takes: from nothing, again with nothing to do, and the paper preset's dry run.

    python benchmarks/demo.py               in a copy of this checkout, so that nothing here is touched
    python benchmarks/demo.py --dry-only    only the dry run

Goals on 2 CPU cores: at most 360 s, 10 s, 4 s.
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

REPOSITORY = Path(__file__).parents[1]
PARTS = ("cenbench", "workflow", "profiles", "Snakefile", "params")
RUN, DRY = ["all_tables"], ["-n", "all_tables", "--config", "preset=paper"]


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
    options = parser.parse_args()
    table = Table(title=f"snakemake on {os.cpu_count()} CPU cores")
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
            table.add_row("all_tables, from nothing (27 cells)", f"{seconds(root, RUN):.0f}", "360")
            table.add_row("all_tables, nothing to do", f"{seconds(root, RUN):.1f}", "10")
        table.add_row("-n all_tables --config preset=paper", f"{seconds(root, DRY):.1f}", "4")
    Console().print(table)


if __name__ == "__main__":
    main()
