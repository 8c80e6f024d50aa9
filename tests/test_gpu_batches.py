"""On a GPU: batches are made there, as a CPU makes them, and the host never waits for one. `make test-gpu`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from coded_dataset import coded_dataset, segmentation, translation

from cenbench.data.batches import SegmentationBatches, TranslationBatches
from cenbench.matrix.cell import Task
from cenbench.train.prefetch import for_device

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_a_gpu_makes_the_batches_that_a_cpu_makes(tmp_path: Path, kind: str) -> None:
    prepared, cuda = coded_dataset(tmp_path), torch.device("cuda")
    batches: SegmentationBatches | TranslationBatches
    if kind == "segmentation":
        protocol = segmentation(scale_min=0.5, scale_max=2.0, crop_px=9, pad_depth_as_rgb=True, name="mine")
        batches = SegmentationBatches(prepared, Task.parse("rgb+depth+normal->semantic"), protocol, seed=1)
    else:
        batches = TranslationBatches(
            prepared, Task.parse("shade+texture+depth->rgb"), translation(resize_px=13, crop_px=8), seed=1
        )
    ahead = for_device(batches, cuda)
    for step in range(6):
        if step:  # the first makes what later ones reuse
            torch.cuda.set_sync_debug_mode("error")
        try:
            made = ahead.batch(step)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        for found, expected in zip(made, batches.batch(step), strict=True):
            assert found.device.type == "cuda"
            exact = not expected.is_floating_point()
            torch.testing.assert_close(found.cpu(), expected, atol=0 if exact else 1e-6, rtol=0)
