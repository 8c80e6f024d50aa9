"""Part 3: the share of a step spent waiting for data, Inception features per second, and the evaluation of a cell."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import torch
from input import CASES, VAL_SCENES, Case, cell_of, waiting_share_pct, write_dataset
from torch import nn

from cenbench.data.prepared import Prepared
from cenbench.evaluate.task import evaluation_of
from cenbench.matrix.cell import Cell
from cenbench.metrics.inputs.extractors import Extractor
from cenbench.paths import Paths
from cenbench.train.setup import Setup
from cenbench.train.task import training_of
from gpu_parts.cases import TINY_SEGMENTER, TINY_UNET, plan_of
from gpu_parts.machine import drained_clock_s
from gpu_parts.results import Deadline, Results

WAITING_STEPS = {"paper": 60, "tiny": 2}
FEATURE_BATCH = {"paper": 50, "tiny": 1}


def run_input(results: Results, device: torch.device, size: str, deadline: Deadline) -> None:
    """Translation first: its steps are the short ones, where waiting would show."""
    preset = "paper" if size == "paper" else "demo"
    inception(results, device, FEATURE_BATCH[size])
    for case in (case for case in reversed(CASES) if case.preset == preset):
        if deadline.passed(needed_s=5.0 if size == "paper" else 0.0):
            results.skipped(case.name, "no time left")
            continue
        try:
            _one_case(results, case, device, size)
        except Exception as error:  # recorded, and the next case is tried
            results.failed(case.name, error)


def _one_case(results: Results, case: Case, device: torch.device, size: str) -> None:
    cell = measured_cell(case, size)
    with tempfile.TemporaryDirectory() as folder:
        prepared = write_dataset(cell, Path(folder))
        share_pct = waiting_share_pct(prepared, cell, WAITING_STEPS[size], device)
        words = f"{share_pct:.2f} % of {WAITING_STEPS[size]} training steps"
        results.ok(f"waiting for data; {case.name}", words, share_pct=share_pct)
        _evaluation(results, case, cell, prepared, Path(folder), device)


def _evaluation(results: Results, case: Case, cell: Cell, prepared: Prepared, root: Path, device: torch.device) -> None:
    """Seconds per image. On a GPU a first evaluation chooses algorithms, and the second one counts."""
    setup = Setup(cell, prepared, device, Paths(root))
    network = training_of(cell).build(cell, setup.classes).to(device).eval()
    for _ in range(2 if device.type == "cuda" else 1):
        start = drained_clock_s(device)
        evaluation_of(cell).measure(setup, network)
        image_s = (drained_clock_s(device) - start) / VAL_SCENES
    scenes = _scenes(case)
    words = f"{1e3 * image_s:.0f} ms per image, {scenes * image_s:.0f} s for {scenes} images"
    words += "" if cell.task.kind == "segmentation" else ", without Inception's features and their statistics"
    results.ok(f"evaluation; {case.name}", words, image_s=image_s, cell_s=scenes * image_s)


def _scenes(case: Case) -> int:
    """Size of the validation split of the case's preset."""
    cells = plan_of(case.preset).select(task=case.task, method="exchange").cells
    return next(iter(cells.values())).dataset.val_scenes


def measured_cell(case: Case, size: str) -> Cell:
    """The case's cell with features that need no weights file, and with a narrow network if `size` is tiny."""
    document = cell_of(case).model_dump()
    segments = document["task"]["target"] == "semantic"
    if size == "tiny":
        document["network"] |= TINY_SEGMENTER if segments else TINY_UNET
    if "extractor" in document["evaluation"]:
        document["evaluation"]["extractor"] = "seeded-conv"
    return Cell.model_validate(document)


def inception(results: Results, device: torch.device, batch: int) -> None:
    """Features per second with random weights: the operations are the same as with trained ones."""
    name = "Inception-v3 features, random weights"
    try:
        extractor = Extractor("random", "random", None, _random_inception().to(device), device)
        images = torch.randint(0, 256, (batch, 3, 256, 256), dtype=torch.uint8)
        extractor.features(images)
        start, count = drained_clock_s(device), 0
        while count == 0 or time.perf_counter() - start < (2.0 if device.type == "cuda" else 0.0):
            extractor.features(images)
            count += batch
        rate = count / (drained_clock_s(device) - start)
        results.ok(name, f"{rate:.1f} images per second in batches of {batch}", images_per_s=rate)
    except Exception as error:  # torch-fidelity may be absent
        results.failed(name, error)


def _random_inception() -> nn.Module:
    """Inception-v3 as it is made before its weights are read. ImportError without torch-fidelity."""
    from cenbench.metrics.inputs.inception import FeatureExtractorInceptionV3

    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with patch.object(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None):
        network: nn.Module = FeatureExtractorInceptionV3("random", ["2048"], feature_extractor_weights_path=empty)
    return network
