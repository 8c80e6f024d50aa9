"""Values of batches: documented ranges and normalisation, padding, missing depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from coded_dataset import HEIGHT, TRAIN, VAL, WIDTH, coded_dataset, segmentation, translation
from tiny_dataset import write_dataset
from torch import Tensor

from cenbench.data.batches import EvalBatches, SegmentationBatches, TranslationBatches
from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import Task

SEGMENTATION = Task.parse("rgb+depth+normal->semantic")


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return coded_dataset(tmp_path_factory.mktemp("coded"))


def whole(coded: Prepared, task: str) -> tuple[Tensor, Tensor]:
    return next(iter(EvalBatches(coded, Task.parse(task), "val", VAL)))


def stored(coded: Prepared, name: str) -> np.ndarray:
    array: np.ndarray = coded.array(name)[TRAIN:].astype(np.float64)
    return array


def test_segmentation_values(coded: Prepared) -> None:
    """rgb by ImageNet's mean and deviation, depth in metres, label int64. Tolerance: float32, 1e-6 of the range."""
    x_BMCHW, label_BHW = whole(coded, "rgb+depth+normal->semantic")
    assert x_BMCHW.shape == (VAL, 3, 3, HEIGHT, WIDTH)
    assert (x_BMCHW.dtype, label_BHW.dtype) == (torch.float32, torch.int64)
    for channel, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        expected = (stored(coded, "rgb")[..., channel] / 255 - mean) / std
        np.testing.assert_allclose(x_BMCHW[:, 0, channel], expected, atol=3e-6)
        np.testing.assert_allclose(x_BMCHW[:, 1, channel], stored(coded, "depth_zbuffer") / 512, rtol=1e-6)
        np.testing.assert_allclose(x_BMCHW[:, 2, channel], stored(coded, "normal")[..., channel] / 127.5 - 1, atol=1e-6)


def test_translation_values(coded: Prepared) -> None:
    """All in [-1, 1]; depth as log(1 + stored) / 11.1; a single channel is replicated to three."""
    x_BMCHW, y_BCHW = whole(coded, "depth+shade+texture+edge+normal->rgb")
    assert (x_BMCHW.dtype, y_BCHW.dtype) == (torch.float32, torch.float32)
    expected = {
        0: 2 * np.log(1 + stored(coded, "depth_euclidean")) / 11.1 - 1,
        1: stored(coded, "shade") / 127.5 - 1,
        2: stored(coded, "texture") / 5000 - 1,
        3: stored(coded, "edge") / 5000 - 1,
    }
    for modality, values in expected.items():
        for channel in range(3):
            np.testing.assert_allclose(x_BMCHW[:, modality, channel], values, atol=1e-6)
    for channel in range(3):
        np.testing.assert_allclose(x_BMCHW[:, 4, channel], stored(coded, "normal")[..., channel] / 127.5 - 1, atol=1e-6)
        np.testing.assert_allclose(y_BCHW[:, channel], stored(coded, "rgb")[..., channel] / 127.5 - 1, atol=1e-6)


def test_translation_stays_in_range_for_extreme_stored_values(tmp_path: Path) -> None:
    ends = np.zeros((4, 8, 8), np.uint16)
    ends[:, ::2] = 65535
    colour = np.repeat((ends[..., None] // 257).astype(np.uint8), 3, axis=-1)
    arrays = {"depth_euclidean": ends, "texture": np.minimum(ends, 10_000), "rgb": colour, "shade": colour[..., 0]}
    prepared = write_dataset(tmp_path, arrays, 2)
    for target in ("depth", "rgb"):
        inputs = "+".join(name for name in ("depth", "texture", "rgb", "shade") if name != target)
        task = Task.parse(f"{inputs}->{target}")
        for values in next(iter(EvalBatches(prepared, task, "val", 1))):
            assert float(values.min()) == -1.0
            assert 0.99 < float(values.max()) <= 1.0
        for values in TranslationBatches(prepared, task, translation(resize_px=11), 1).batch(0):
            assert -1.0 <= float(values.min()) < -0.5, "blended, and still in range"
            assert 0.5 < float(values.max()) <= 1.0


def test_missing_depth_is_never_blended_with_its_neighbours(tmp_path: Path) -> None:
    """Holes stay holes and distances stay distances at any scale: only stored values come out."""
    depth = np.where(np.indices((4, 9, 9)).sum(0) % 2, 0, 3000).astype(np.uint16)
    arrays = {
        "depth_zbuffer": depth,
        "rgb": np.zeros((4, 9, 9, 3), np.uint8),
        "semantic": (depth // 1000).astype(np.uint8),
    }
    protocol = segmentation(crop_px=9)
    batches = SegmentationBatches(write_dataset(tmp_path, arrays, 3), Task.parse("rgb+depth->semantic"), protocol, 2)
    values: set[float] = set()
    for step in range(6):
        x_BMCHW, label_BHW = batches.batch(step)
        values.update((x_BMCHW[:, 1] * 512).unique().tolist())
        assert set(label_BHW.unique().tolist()) <= {0, 3, 255}
    assert values == {0.0, 3000.0}


def test_padding_is_void_mean_colour_and_missing_depth(coded: Prepared) -> None:
    protocol = segmentation(scale_min=0.5, scale_max=0.5, crop_px=9)
    x_BMCHW, label_BHW = SegmentationBatches(coded, SEGMENTATION, protocol, 1).batch(0)
    padding = label_BHW == 255
    assert int(padding.sum()) == 2 * (9 * 9 - 4 * 5)
    for modality in range(3):
        assert (x_BMCHW[:, modality].movedim(1, -1)[padding] == 0).all()
