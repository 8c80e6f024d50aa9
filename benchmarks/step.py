"""Time a training step of the modality-parallel networks against a list of modalities with equal weights and outputs.

    python benchmarks/step.py                          every case on this machine (RefineNet-101: minutes on a CPU)
    python benchmarks/step.py --cases demo             only cases whose name contains `demo`
    python benchmarks/step.py --device cuda --precision bfloat16

Steps are interleaved. On a CPU, process time is measured, so that other load matters little (`--wall` measures wall
time, to see the effect of more threads); on a GPU, wall time with the queue drained. The baseline is `list_steps.py`:
the formulation of the released code, in float32 as released. With bfloat16 the list is also measured in that precision,
so that the remaining ratio is due to the formulation. On a GPU a translation step is a replayed CUDA graph;
`unrecorded` is the same step launched kernel by kernel.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from list_networks import copy_weights
from list_steps import list_generator, list_segmenter, segmentation_step, translation_step
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import load_plan
from cenbench.train.device import choose_device
from cenbench.train.recorded_step import PLAIN_STEPS
from cenbench.train.segmentation import SegmentationTrainer
from cenbench.train.translation import TranslationTrainer

PARAMS = Path(__file__).parents[1] / "params"
CLASSES, VOID = 40, 255
AGREEMENT = 1e-5
Clock = Callable[[], float]


@dataclass(frozen=True)
class Case:
    """A cell of a preset at the given image size. `batch` 0 keeps the preset's batch size."""

    name: str
    preset: str
    task: str
    size_px: int
    batch: int = 0


CASES = (
    Case("demo RefineNet-18, 64 px", "demo", "rgb+depth->semantic", 64),
    Case("demo U-Net, 64 px, 2 modalities", "demo", "shade+texture->rgb", 64),
    Case("demo U-Net, 64 px, 4 modalities", "demo", "shade+texture+depth+normal->rgb", 64),
    Case("RefineNet-101, 128 px", "paper", "rgb+depth->semantic", 128, batch=1),
    Case("RefineNet-101, 256 px", "paper", "rgb+depth->semantic", 256, batch=1),
    Case("U-Net-256, 2 modalities", "paper", "shade+texture->rgb", 256),
    Case("U-Net-256, 4 modalities", "paper", "shade+texture+depth+normal->rgb", 256),
)


class OneBatch:
    """The same random batch at every step."""

    steps_per_epoch = 1_000_000

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self._batch = (x, y)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        return self._batch


def cell_of(case: Case, precision: str) -> Cell:
    """The paper's method (exchange, shared convolutions, half-channel l1) without dropout and pretrained weights."""
    plan = load_plan(PARAMS, case.preset)
    chosen = plan.select(task=case.task, method="exchange", glob="*shared-convs.unshared-norms.l1-half*").cells
    content = next(cell for cell in chosen.values() if cell.convs == "shared").model_dump()
    content["network"]["dropout"] = 0.0
    if "pretrained" in content["network"]:
        content["network"]["pretrained"] = False
    content["protocol"]["precision"] = precision
    return Cell.model_validate(content)


def steps(case: Case, device: torch.device, precision: str) -> dict[str, Callable[[], object]]:
    """Steps by name, ours in `precision` and the list's in each; their weights are equal and their outputs compared."""
    cell = cell_of(case, precision)
    torch.manual_seed(0)
    batch, side, M = case.batch or cell.protocol.batch_size, case.size_px, len(cell.task.inputs)
    x = torch.randn(batch, M, 3, side, side, device=device)
    if cell.task.kind == "segmentation":
        y = torch.randint(0, CLASSES, (batch, side, side), device=device)
        trainer = SegmentationTrainer(cell, OneBatch(x, y), CLASSES, VOID, device)
        theirs = list_segmenter(cell, CLASSES).to(device)
        take = segmentation_step
    else:
        y = torch.rand(batch, 3, side, side, device=device) * 2 - 1
        trainer = TranslationTrainer(cell, OneBatch(x, y), device)
        theirs = list_generator(cell).to(device)
        take = translation_step
    copy_weights(trainer.network, theirs)
    check_agreement(trainer.network, theirs, x)
    trainer.begin(0)
    theirs_step = take(cell, theirs, x, y)

    def listed_bfloat16() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            theirs_step()

    calls: dict[str, Callable[[], object]] = {"parallel": lambda: trainer.step(0), "float32": theirs_step}
    if precision != "float32":
        calls["bfloat16"] = listed_bfloat16
    if device.type == "cuda" and isinstance(trainer, TranslationTrainer):
        calls["unrecorded"] = lambda: trainer.step_on(x, y)
    return calls


@torch.no_grad()
def check_agreement(ours: torch.nn.Module, theirs: torch.nn.Module, x: Tensor) -> None:
    """Compare outputs in float32 and evaluation mode, relative to the largest output."""
    ours.eval(), theirs.eval()
    found, expected = ours(x), torch.stack(theirs(list(x.unbind(1))), dim=1)
    off = ((found - expected).abs().max() / expected.abs().max()).item()
    if off > AGREEMENT:
        raise SystemExit(f"outputs differ by {off:.1e}, more than {AGREEMENT:g}: not the same network")
    ours.train(), theirs.train()


def measure(case: Case, device: torch.device, precision: str, repeats: int, clock: Clock) -> dict[str, float]:
    """Median seconds per step, under the names from `steps`."""
    calls = steps(case, device, precision)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    warm_up = PLAIN_STEPS + 1  # on a GPU until the step is recorded, on a CPU until memory stops growing
    for repeat in range(repeats + warm_up):
        for name, step in calls.items():
            start = clock()
            step()
            if repeat >= warm_up:
                taken[name].append(clock() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def drained_queue() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="only cases whose name contains this text")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--wall", action="store_true", help="measure wall time on a CPU too; other load disturbs it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {options.threads} thread(s)"
    table = Table(title=f"Training step on {where}, {options.precision}, median of {options.repeats}")
    clock = drained_queue if device.type == "cuda" else time.perf_counter if options.wall else time.process_time
    lists = list(dict.fromkeys(["float32", options.precision]))
    headings = [*(f"list {name}, ms" for name in lists), "parallel, ms", *(f"ratio to {name}" for name in lists)]
    headings += ["unrecorded, ms"] if device.type == "cuda" else []
    for heading in ("case", *headings):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    for case in (case for case in CASES if options.cases in case.name):
        taken = measure(case, device, options.precision, options.repeats, clock)
        shown = [f"{1e3 * taken[name]:.1f}" for name in (*lists, "parallel")]
        shown += [f"{taken[name] / taken['parallel']:.2f}" for name in lists]
        shown += [f"{1e3 * taken['unrecorded']:.1f}"] if "unrecorded" in taken else []
        table.add_row(case.name, *shown)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
