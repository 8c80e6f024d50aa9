"""Time how fast training samples are made, compared with decoding PNGs, and how long a training step waits for them.

    python benchmarks/input.py                      every case; a minute or two
    python benchmarks/input.py --cases demo --workers 1 2
    python benchmarks/input.py --steps 5            also train 5 steps on this machine's device and time the wait

The images are smooth noise in the sizes of the datasets, so that PNGs compress as photographs do. `ours` is one thread
of the training process; for a GPU, the host does only the reading. The loader's workers are separate processes. CPU
milliseconds per sample include all of them, and are the better measure on a shared machine.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_parts.machine import drain
from png_loader import PngSamples, names_of, write_pngs
from rich.console import Console
from rich.table import Column, Table
from torch import Tensor
from torch.utils.data import DataLoader

from cenbench.data.batches import SegmentationBatches, TranslationBatches
from cenbench.data.manifest import FileEntry, Manifest, ModalityEntry, write_manifest
from cenbench.data.prepared import Prepared
from cenbench.files import sha256_file
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import load_plan
from cenbench.matrix.specs import dataset_key
from cenbench.train.device import choose_device
from cenbench.train.prefetch import for_device
from cenbench.train.recorded_step import PLAIN_STEPS
from cenbench.train.segmentation import SegmentationTrainer
from cenbench.train.trainer import Batches, TwoPartBatches
from cenbench.train.translation import TranslationTrainer

PARAMS = Path(__file__).parents[1] / "params"
THREE = ("rgb", "normal")
SIXTEEN_BIT = ("depth_zbuffer", "depth_euclidean", "texture", "edge")
CLASSES = 40


@dataclass(frozen=True)
class Case:
    """A cell of a preset, and the number of samples to time."""

    name: str
    preset: str
    task: str
    samples: int


CASES = (
    Case("demo segmentation, 64 px", "demo", "rgb+depth->semantic", 1024),
    Case("demo translation, 64 px", "demo", "shade+texture->rgb", 1024),
    Case("paper segmentation, 468 x 625 to 500 px", "paper", "rgb+depth->semantic", 96),
    Case("paper translation, 256 to 286 to 256 px", "paper", "shade+texture->rgb", 256),
)
SCENES, VAL_SCENES = 24, 4


def cell_of(case: Case) -> Cell:
    """A cell with the paper's method, without pretrained weights, on a few scenes."""
    chosen = load_plan(PARAMS, case.preset).select(task=case.task, method="exchange", glob="*l1-half*").cells
    content = next(cell for cell in chosen.values() if cell.convs == "shared").model_dump()
    content["dataset"] |= {"train_scenes": SCENES, "val_scenes": VAL_SCENES}
    if "kid_subset_size" in content["evaluation"]:
        content["evaluation"]["kid_subset_size"] = VAL_SCENES
    if "pretrained" in content["network"]:
        content["network"]["pretrained"] = False
    return Cell.model_validate(content)


def write_dataset(cell: Cell, root: Path, *, related: bool = False) -> Prepared:
    """Write a prepared dataset of smooth noise with the cell's modalities and sizes.

    `related`: all modalities of a scene show the same noise, so that the target can be learned from the inputs.
    """
    rng, (height, width) = np.random.default_rng(0), cell.dataset.shape_px
    folder = root / dataset_key(cell.dataset)
    folder.mkdir()
    entries = {}
    for name in names_of(cell):
        noise = np.random.default_rng(1) if related else rng
        coarse = torch.from_numpy(noise.random((SCENES + VAL_SCENES, 3, 12, 16), np.float32))
        coarse = coarse if name in THREE else coarse[:, :1]
        smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
        grain = rng.normal(0, 0.01, smooth.shape)
        top = CLASSES - 1 if name == "semantic" else 8000 if name in SIXTEEN_BIT else 255
        values = (smooth.numpy() + (0 if name == "semantic" else grain)).clip(0, 1) * top
        array = values.astype(np.uint16 if name in SIXTEEN_BIT else np.uint8).transpose(0, 2, 3, 1)
        array = array if name in THREE else array[..., 0]
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array))
        entries[name] = ModalityEntry(
            file=f"{name}.npy", dtype=array.dtype.name, shape=array.shape, unit="noise", range=(0, top)
        )
    files = {path.name: FileEntry(bytes=path.stat().st_size, sha256=sha256_file(path)) for path in folder.glob("*.npy")}
    write_manifest(
        folder,
        Manifest(
            name=cell.dataset.name,
            version=cell.dataset.version,
            spec=cell.dataset,
            size_px=cell.dataset.shape_px,
            splits={"train": (0, SCENES), "val": (SCENES, SCENES + VAL_SCENES)},
            modalities=entries,
            classes=tuple(f"class{number}" for number in range(CLASSES)),
            files=files,
            licence="none",
            citation="none",
        ),
    )
    return Prepared.open(folder)


def batches_of(prepared: Prepared, cell: Cell) -> TwoPartBatches:
    protocol: Any = cell.protocol
    kind = SegmentationBatches if cell.task.kind == "segmentation" else TranslationBatches
    return kind(prepared, cell.task, protocol, cell.seed)


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Samples per second, and CPU milliseconds per sample of this process and the children it has waited for."""

    def cpu_s() -> float:
        return sum(
            usage.ru_utime + usage.ru_stime
            for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )

    wall, cpu = time.perf_counter(), cpu_s()
    samples = work()
    return samples / (time.perf_counter() - wall), 1e3 * (cpu_s() - cpu) / samples


def ours(make: Callable[[int], object], samples: int, batch_size: int) -> int:
    steps = -(-samples // batch_size)
    for step in range(steps):
        make(step)
    return steps * batch_size


def by_loader(dataset: PngSamples, samples: int, batch_size: int, workers: int) -> int:
    """Draw samples with replacement, so that one epoch can have any length and workers start once."""
    sampler = torch.utils.data.RandomSampler(dataset, replacement=True, num_samples=samples)
    loader = DataLoader(dataset, batch_size, sampler=sampler, num_workers=workers, drop_last=True)
    return sum(len(x) for x, _ in loader)


class Watched:
    """Batches, and how many seconds their consumer has waited for them."""

    def __init__(self, batches: Batches) -> None:
        self._batches, self.waited_s = batches, 0.0
        self.steps_per_epoch = batches.steps_per_epoch

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        start = time.perf_counter()
        batch = self._batches.batch(step)
        self.waited_s += time.perf_counter() - start
        return batch


def waiting_share_pct(prepared: Prepared, cell: Cell, steps: int, device: torch.device) -> float:
    """Percentage of training time, after the warm-up steps, spent waiting for a batch."""
    watched = Watched(for_device(batches_of(prepared, cell), device))
    trainer: SegmentationTrainer | TranslationTrainer
    if cell.task.kind == "segmentation":
        trainer = SegmentationTrainer(cell, watched, CLASSES, prepared.void, device)
    else:
        trainer = TranslationTrainer(cell, watched, device)
    start = 0.0
    warm_up = PLAIN_STEPS + 1  # on a GPU, until the step is recorded
    for step in range(steps + warm_up):
        if step == warm_up:
            drain(device)
            start, watched.waited_s = time.perf_counter(), 0.0
        trainer.begin(step)
        trainer.step(step)
    drain(device)
    return 100 * watched.waited_s / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="only cases whose name contains this text")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4, 8], help="PNG loader processes")
    parser.add_argument("--steps", type=int, default=0, help="training steps in which to time the wait; 0: none")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="This DataLoader will create")  # more workers than cores is intended
    right = [Column(name, justify="right") for name in ("samples/s", "CPU ms per sample")]
    table = Table("case", "made by", *right, title=f"{torch.get_num_threads()} thread per process")
    for case in CASES:
        if options.cases not in case.name:
            continue
        cell = cell_of(case)
        size = cell.protocol.batch_size
        with tempfile.TemporaryDirectory() as folder:
            prepared = write_dataset(cell, Path(folder))
            write_pngs(prepared, cell, Path(folder) / "png")
            batches, dataset = batches_of(prepared, cell), PngSamples(prepared, cell, Path(folder) / "png")
            ours(batches.batch, size, size)
            rows = [
                ("ours", timed(lambda: ours(batches.batch, case.samples, size))),  # noqa: B023 (called at once)
                ("of it reading", timed(lambda: ours(batches.stored, case.samples, size))),  # noqa: B023
            ]
            for workers in options.workers:
                took = timed(lambda: by_loader(dataset, case.samples, size, workers))  # noqa: B023
                rows.append((f"PNG, {workers} workers", took))
            for name, (rate, cpu_ms) in rows:
                table.add_row(case.name if name == "ours" else "", name, f"{rate:.1f}", f"{cpu_ms:.2f}")
            if options.steps:
                share = waiting_share_pct(prepared, cell, options.steps, choose_device("auto"))
                table.add_row("", f"waiting for data: {share:.2f} % of a step", "", "")
    Console().print(table)


if __name__ == "__main__":
    main()
