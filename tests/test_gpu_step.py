"""On a GPU: no training step waits for the device, and a cell runs to its record. `make test-gpu`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from checkout import Checkout
from test_run_variants import SEGMENTATION, TRANSLATION, variant

from cenbench.data.batches import SegmentationBatches, TranslationBatches
from cenbench.data.prepared import Prepared, dataset_key
from cenbench.matrix.cell import Cell
from cenbench.train.prefetch import for_device
from cenbench.train.segmentation import SegmentationTrainer
from cenbench.train.translation import TranslationTrainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


def trainer_of(cell: Cell, root: Path) -> SegmentationTrainer | TranslationTrainer:
    prepared, device = Prepared.open(root / dataset_key(cell.dataset)), torch.device("cuda")
    if cell.task.kind == "segmentation":
        batches = for_device(SegmentationBatches(prepared, cell.task, cell.protocol, cell.seed), device)
        return SegmentationTrainer(cell, batches, len(prepared.classes), prepared.void, device, root)
    return TranslationTrainer(
        cell, for_device(TranslationBatches(prepared, cell.task, cell.protocol, cell.seed), device), device
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("segmentation", "own part"),
        ("segmentation", "align"),
        ("segmentation", "concat, merged"),
        ("segmentation", "pspnet"),
        ("segmentation", "bfloat16"),
        ("translation", "align"),
        ("translation", "concat"),
        ("translation", "bfloat16"),
    ],
)
def test_no_step_waits_for_the_device(prepared_checkout: Checkout, kind: str, name: str) -> None:
    changes = {"segmentation": SEGMENTATION, "translation": TRANSLATION}[kind][name]
    trainer = trainer_of(variant(prepared_checkout, kind, changes), prepared_checkout.root / "data" / "prepared")
    trainer.begin(0)
    for step in range(2):  # the first steps choose algorithms and allocate
        trainer.step(step)
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = trainer.step(2)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert losses.device.type == "cuda"
    assert bool(losses.isfinite().all())
