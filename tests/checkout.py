"""A small checkout for tests that run the real pipeline: the code as it is, and tables with a few tiny cells."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
PARTS = (
    "cenbench",
    "workflow",
    "profiles",
    "Snakefile",
    "params",
    "dvc.yaml",
    ".dvcignore",
    "data/raw/README.md",
    "weights/README.md",
)

DETERMINISTIC = (
    "results/cells/*/metrics.json",
    "results/cells/*/history.csv",
    "results/cells/*/per_image.safetensors",
    "results/cells/*/gammas.safetensors",
    "results/cells/*/samples/*.png",
    "results/state/*/weights.safetensors",
    "reports/demo/table*.csv",
    "reports/demo/table*.tex",
)
"""Files whose bytes do not depend on interruptions, on a CPU."""

PRESET = """
name: demo
description: Cells of a few seconds, for tests.
tables: [table7, table8]
seeds: [1]
segmentation:
  dataset: &data {name: synthrooms, size_px: 32, train_scenes: 8, val_scenes: 4, seed: 1}
  network: {head: refinenet, depth: 18, width: 4, decoder_width: 8, pretrained: false, dropout: 0.1}
  protocol:
    name: clean
    phases: [{epochs: 3, lr_encoder: 5.0e-3, lr_decoder: 2.0e-3}]
    batch_size: 2
    momentum: 0.9
    weight_decay: 1.0e-5
    lambda_l1: 1.0e-2
    theta: 2.0e-2
    crop_px: 32
  evaluation: {batch_size: 4, samples: 2}
translation:
  dataset: *data
  network: {head: unet, levels: 4, generator_width: 4, discriminator_width: 4, discriminator_layers: 1}
  protocol:
    name: clean
    epochs: 3
    batch_size: 2
    lr: 2.0e-4
    beta1: 0.5
    beta2: 0.999
    lambda_l1: 1.0e-3
    theta: 1.0e-2
    resize_px: 36
    crop_px: 32
  evaluation: {batch_size: 4, extractor: seeded-conv, kid_subsets: 2, kid_subset_size: 4, kid_seed: 0, samples: 2}
cost:
  hardware: none
  unit: CPU
  workers: 2
  scene_s: 0.1
  cell_s: 3.0
  step_s: {segmentation: {fixed: 0.01, per_modality: 0.01}, translation: {fixed: 0.01, per_modality: 0.01}}
"""
TABLE7 = """
number: 7
title: Two rows of table 7
caption: For tests.
metrics: [miou_pct]
whole: false
stub: [{heading: Convs, shows: convs}, {heading: l1, shows: l1}]
defaults: {task: rgb+depth->semantic, norms: unshared}
columns: [{label: RGB, stream: rgb}, {label: Depth, stream: depth}, {label: Ensemble, stream: ensemble}]
rows:
  - {convs: unshared, l1: none, exchange: false}
  - {convs: shared, l1: half, exchange: true}
"""
TABLE8 = """
number: 8
title: One row group of table 8
caption: For tests.
metrics: [fid, kid_x100]
whole: false
stub: [{heading: Network stream, shows: stream}]
defaults: {task: shade+texture->rgb}
columns: [{label: Fusion, convs: shared, norms: unshared, l1: half, exchange: true}]
rows: [{stream: shade}, {stream: texture}, {stream: ensemble}]
"""
ROBUSTNESS = """
corruptions: {depth_noise: [0.5], darkening: [2]}
presets: {demo: [{tables: [table7]}]}
"""


def copy_code(root: Path) -> None:
    """Copy the files that a run needs from this repository to `root`, which must not exist yet."""
    root.mkdir(parents=True)
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (root / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / part)
    copy_code_cache(root)


def copy_code_cache(root: Path) -> None:
    """Copy what is known of the parsed sources, which takes seconds to compute; see `cenbench.records.code_cache`."""
    for cached in (REPOSITORY / "cenbench" / "__pycache__").glob("*.json"):
        target = root / cached.relative_to(REPOSITORY)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(cached, target)


@dataclass(frozen=True)
class Checkout:
    """A folder with the pipeline in it, and the commands a user runs there."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Checkout:
        """Copy the code and profiles of this repository to `root`, with the tiny preset and tables above."""
        copy_code(root)
        for table in (root / "params").glob("table*.yaml"):
            table.unlink()
        (root / "params" / "claims.yaml").unlink()  # of tables that are not here
        checkout = cls(root)
        checkout.write("params/pipeline.yaml", "preset: demo\ntables: all\npages: [table7, table8]\nfigures: []\n")
        checkout.write("params/presets/demo.yaml", PRESET)
        checkout.write("params/robustness.yaml", ROBUSTNESS)
        checkout.write("params/table7.yaml", TABLE7)
        checkout.write("params/table8.yaml", TABLE8)
        return checkout

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace `old`. It must occur in the file, so that a test never edits nothing."""
        text = (self.root / path).read_text()
        assert old in text, f"{path} has no {old!r} to edit"
        self.write(path, text.replace(old, new))

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the tests with their interpreter first on PATH and one thread per process."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in its own process group, so that a test can kill all of it."""
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.root, env=self.environment, start_new_session=True, **pipe)

    def run(self, *command: str, status: int | None = 0) -> str:
        """Run a command and return its output; fail unless its exit status is `status` (None: any)."""
        process = self.start(*command)
        output, _ = process.communicate(timeout=500)
        assert status is None or process.returncode == status, output
        return output

    def snakemake(self, *arguments: str, status: int | None = 0) -> str:
        return self.run("snakemake", *arguments, status=status)

    def planned(self, *targets: str) -> dict[str, int]:
        """rule -> jobs that a dry run would start; empty if there is nothing to do."""
        output = self.snakemake("-n", *(targets or ("all_tables",)))
        if "Job stats" not in output:
            assert "nothing to be done" in output.lower()
            return {}
        lines = re.findall(r"^ (\w[\w ]*?) +(\d+) *$", output, re.MULTILINE)
        return {rule.replace(" ", "_"): int(count) for rule, count in lines if rule != "total"}

    def json(self, path: str) -> Any:
        return json.loads((self.root / path).read_text())

    def bytes_of(self, *patterns: str) -> dict[str, bytes]:
        """Relative path -> content of every file that matches."""
        files = (file for pattern in patterns for file in self.root.glob(pattern))
        return {str(file.relative_to(self.root)): file.read_bytes() for file in sorted(files)}
