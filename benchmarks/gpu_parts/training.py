"""Part 5: one cell of each task trains for a minute on data that can be learned: its loss falls, nothing is NaN."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
import torch.multiprocessing as multiprocessing
from input import CASES, CLASSES, Case, batches_of, write_dataset

from cenbench.evaluate.task import evaluation_of
from cenbench.paths import Paths
from cenbench.train.device import choose_device
from cenbench.train.prefetch import for_device
from cenbench.train.setup import Setup
from gpu_parts.cases import AnyTrainer, trainer_of
from gpu_parts.inputs import measured_cell
from gpu_parts.results import Deadline, Results

SECONDS = {"paper": 60.0, "tiny": 0.0}
LEAST_STEPS = 40
EVALUATION_S = 8.0
"""Kept free for the figures of merit."""


def run_training(results: Results, device: torch.device, size: str, deadline: Deadline) -> None:
    """Both tasks at the same time on a GPU, which has room for both; one after the other on a CPU."""
    cases = [case for case in CASES if case.preset == ("paper" if size == "paper" else "demo")]
    if device.type != "cuda":
        for case in cases:
            train(results, case, device.type, size, Deadline.after(SECONDS[size]))
        return
    end = Deadline(deadline.end - EVALUATION_S).at_most(SECONDS[size] + 10)
    context = multiprocessing.get_context("spawn")
    children = [
        context.Process(target=train, args=(results, case, device.type, size, end), daemon=True) for case in cases
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(max(0.0, deadline.left_s))


def train(results: Results, case: Case, device_name: str, size: str, end: Deadline) -> None:
    """Train until `end`, at most for the part's seconds but at least 40 steps, then evaluate; one row for each."""
    device = choose_device(device_name)
    try:
        with tempfile.TemporaryDirectory() as folder:
            cell = measured_cell(case, size)
            prepared = write_dataset(cell, Path(folder), related=True)
            trainer = trainer_of(cell, for_device(batches_of(prepared, cell), device), device, classes=CLASSES)
            losses = _train(trainer, end.at_most(SECONDS[size]))
            _judge(results, case, trainer, losses)
            setup = Setup(cell, prepared, device, Paths(Path(folder)))
            metrics = evaluation_of(cell).measure(setup, trainer.network.eval()).metrics["ensemble"]
            words = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            results.ok(f"figures of merit; {case.name}", words, metrics=dict(metrics))
    except Exception as error:  # the other task goes on
        results.failed(f"training; {case.name}", error)


def _train(trainer: AnyTrainer, deadline: Deadline) -> torch.Tensor:
    """The losses of all steps, (steps, losses), on the CPU."""
    losses: list[torch.Tensor] = []
    while len(losses) < LEAST_STEPS or not deadline.passed():
        torch.manual_seed(len(losses))
        trainer.begin(len(losses))
        losses.append(trainer.step(len(losses)))
        if len(losses) % 20 == 0:
            losses[-1] = losses[-1].cpu()  # waits for the device, as writing a line of history does
    return torch.stack([loss.cpu() for loss in losses])


def _judge(results: Results, case: Case, trainer: AnyTrainer, losses: torch.Tensor) -> None:
    """The mean loss over the predictions falls from the first tenth of the steps to the last."""
    name, steps = f"training; {case.name}", len(losses)
    chosen = [index for index, loss in enumerate(trainer.losses) if loss.startswith(("nll_", "distance_"))]
    course = losses[:, chosen].sum(1)
    tenth = max(1, steps // 10)
    first, last = float(course[:tenth].mean()), float(course[-tenth:].mean())
    words = f"loss {first:.4g} -> {last:.4g} in {steps} steps"
    values = {"first_loss": first, "last_loss": last, "steps": steps, "ended": time.time()}
    if not bool(losses.isfinite().all()):
        results.failed(name, f"{words}, with a value that is NaN or infinite", **values)
    elif last >= first:
        results.failed(name, f"{words}: it did not fall", **values)
    else:
        results.ok(name, words, **values)
