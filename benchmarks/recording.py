"""What recording the scaling factors costs: time per step, and the size of a cell's file.

    python benchmarks/recording.py                          every case on this machine
    python benchmarks/recording.py --cases demo             only cases whose name contains `demo`
    python benchmarks/recording.py --device cuda            on a GPU, where nothing has been measured yet

Within a step, recording keeps a tensor that is there anyway and launches nothing; all it adds is the work at a point.
Steps and points are taken in turn in one process, and the median of each is shown: process time on a CPU, wall time
with the queue drained on a GPU. The cost per step is that of a point over the steps between two points of the preset's
training. Exits with 1 where it exceeds 2 % or the file 2 MiB.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time

import torch
from rich.console import Console
from rich.table import Table
from step import CASES, CLASSES, VOID, Case, OneBatch, cell_of

from cenbench.matrix.steps import total_steps
from cenbench.train.device import choose_device
from cenbench.train.gamma_file import LARGEST_BYTES
from cenbench.train.gamma_recording import GammaRecording, most_points, recorded_gammas
from cenbench.train.loop import history_lines
from cenbench.train.recorded_step import PLAIN_STEPS
from cenbench.train.segmentation import SegmentationTrainer
from cenbench.train.translation import TranslationTrainer

MOST = 0.02
MIB = 2**20


def trainer_of(case: Case, device: torch.device) -> SegmentationTrainer | TranslationTrainer:
    """The paper's method on random data."""
    cell = cell_of(case, "float32")
    batch, side = case.batch or cell.protocol.batch_size, case.size_px
    x = torch.randn(batch, len(cell.task.inputs), 3, side, side, device=device)
    if cell.task.kind == "segmentation":
        y = torch.randint(0, CLASSES, (batch, side, side), device=device)
        return SegmentationTrainer(cell, OneBatch(x, y), CLASSES, VOID, device)
    y = torch.rand(batch, 3, side, side, device=device) * 2 - 1
    return TranslationTrainer(cell, OneBatch(x, y), device)


def measured(case: Case, device: torch.device, repeats: int) -> tuple[float, float, int, int]:
    """Seconds per step and per point, steps between two points, and bytes of the file of a whole training."""
    trainer = trainer_of(case, device)
    source = recorded_gammas(trainer.cell, trainer.network, trainer.sparsity)
    total = total_steps(trainer.cell)
    lines = history_lines(total)
    channels = {name: norm.channels for name, norm in source.sparsity.norms.items()}
    points = most_points(channels, len(trainer.cell.task.inputs), source.traced)
    between = math.ceil(lines / points) * math.ceil(total / lines)

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    trainer.begin(0)
    for _ in range(PLAIN_STEPS + 1):
        trainer.step(0)
    recording = GammaRecording(source, lines=repeats)  # so that every line is a point
    steps, taken = [], []
    for repeat in range(repeats):
        start = clock()
        trainer.step(0).tolist()
        between_both = clock()
        recording.line(repeat + 1)
        steps.append(between_both - start)
        taken.append(clock() - between_both)
    whole = GammaRecording(source, lines=lines)
    for line in range(1, lines + 1):
        whole.line(line)
    return statistics.median(steps), statistics.median(taken), between, len(whole.content())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="only cases whose name contains this")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    device, failed = choose_device(arguments.device), False
    table = Table("case", "ms per step", "ms per point", "steps between", "per step", "MiB")
    for case in (case for case in CASES if arguments.cases in case.name):
        step_s, point_s, between, size = measured(case, device, arguments.repeats)
        cost = point_s / (step_s * between)
        failed |= cost > MOST or size > LARGEST_BYTES
        numbers = (
            f"{1e3 * step_s:.1f}",
            f"{1e3 * point_s:.1f}",
            str(between),
            f"{100 * cost:.2f} %",
            f"{size / MIB:.2f}",
        )
        table.add_row(case.name, *numbers)
    Console(width=120).print(table)
    sys.exit(failed)


if __name__ == "__main__":
    main()
