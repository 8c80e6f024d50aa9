"""A crop reads only what it shows, and equals scaling the whole image and then cropping it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from coded_dataset import segmentation, translation
from tiny_dataset import write_dataset
from torch import Tensor

from cenbench.data import transforms
from cenbench.data.batches import SegmentationBatches, TranslationBatches
from cenbench.data.crop import taps
from cenbench.data.prepared import Prepared
from cenbench.data.transforms import Window
from cenbench.matrix.cell import Task
from cenbench.matrix.stored_arrays import stored_name

SCENES, SHAPE = 4, (37, 53)
SEGMENTATION = Task.parse("rgb+depth+normal+shade->semantic")
TRANSLATION = Task.parse("normal+depth+edge+texture->rgb")
STEPS = range(8)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Independent values in every pixel: a pixel from the wrong place, or blended wrongly, shows."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.integers(0, 256, (SCENES, *SHAPE, 3), np.uint8) for name in ("rgb", "normal")}
    arrays |= {name: rng.integers(0, 10_000, (SCENES, *SHAPE), np.uint16) for name in ("edge", "texture")}
    depths = ("depth_euclidean", "depth_zbuffer")
    arrays |= {name: rng.integers(0, 65_536, (SCENES, *SHAPE), np.uint16) for name in depths}
    arrays |= {name: rng.integers(0, 10, (SCENES, *SHAPE), np.uint8) for name in ("semantic", "shade")}
    return write_dataset(tmp_path_factory.mktemp("noise"), arrays, SCENES - 1)


def whole_then_cropped(image_CHW: Tensor, window: Window, crop_px: int, name: str, fill: tuple[float, ...]) -> Tensor:
    """The direct way: PyTorch scales the whole image, which is then cut, mirrored, and padded with `fill`."""
    scaled_CHW = transforms.resized(image_CHW[None], (window.height, window.width), name)[0]
    piece_CHW = scaled_CHW[:, window.top : window.top + crop_px, window.left : window.left + crop_px]
    if window.mirror:
        piece_CHW = transforms.mirrored(piece_CHW, name)
    channels, height, width = piece_CHW.shape
    cut_CHW = torch.tensor(fill).view(-1, 1, 1).expand(channels, crop_px, crop_px).clone()
    left = crop_px - width if window.mirror else 0
    cut_CHW[:, :height, left : left + width] = piece_CHW
    return cut_CHW


def drawn(seed: int, step: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Scenes and draws of a step, drawn as documented for batches."""
    epoch, place = divmod(step, (SCENES - 1) // batch_size)
    order = np.random.default_rng([seed, 0, epoch]).permutation(SCENES - 1)
    return order[place * batch_size :][:batch_size], np.random.default_rng([seed, 1, step]).random((batch_size, 4))


def compared(noise: Prepared, name: str, kind: Any, scene: int, window: Window, fill: Any, found_CHW: Tensor) -> None:
    """Compare nearest neighbours exactly, blended values to 1e-6."""
    raw = noise.array(name)[scene : scene + 1]
    if name == "semantic":
        image_CHW = torch.from_numpy(raw.astype(np.float32))
    else:
        image_CHW = transforms.normalise(raw, name, noise.manifest.modalities[name], kind)[0]
    expected = whole_then_cropped(image_CHW, window, found_CHW.shape[-1], name, fill)
    exact = transforms.interpolation(name) == "nearest-exact"
    torch.testing.assert_close(found_CHW.float(), expected, atol=0 if exact else 1e-6, rtol=0)


@pytest.mark.parametrize(
    ("scales", "crop_px", "quirk"),
    [
        ((0.5, 2.0), 30, False),  # on and past the edge
        ((0.5, 0.7), 41, True),  # smaller than the crop: padded
        ((1.0, 1.0), 37, False),  # not scaled
        ((3.1, 7.7), 24, False),
        ((0.05, 0.2), 24, True),
    ],
)
def test_a_segmentation_crop_equals_that_of_the_whole_image(
    noise: Prepared, scales: tuple[float, float], crop_px: int, quirk: bool
) -> None:
    low, high = scales
    protocol = segmentation(
        name="mine", scale_min=low, scale_max=high, crop_px=crop_px, batch_size=3, pad_depth_as_rgb=quirk
    )
    batches = SegmentationBatches(noise, SEGMENTATION, protocol, seed=5)
    for step in STEPS:
        x_BMCHW, label_BHW = batches.batch(step)
        for scene, draw, x_MCHW, label_HW in zip(*drawn(5, step, 3), x_BMCHW, label_BHW, strict=True):
            window = transforms.segmentation_window(draw, SHAPE, crop_px, scales, mirror=True)
            for token, found_CHW in zip(SEGMENTATION.inputs, x_MCHW, strict=True):
                name = stored_name(token, "segmentation")
                fill = transforms.padding(name, "segmentation", quirk)
                compared(noise, name, "segmentation", scene, window, fill, found_CHW)
            compared(noise, "semantic", "segmentation", scene, window, (255.0,), label_HW[None])


@pytest.mark.parametrize(("resize_px", "crop_px"), [(48, 41), (37, 37), (30, 24), (200, 17)])
@pytest.mark.parametrize("past_edge", [False, True])
def test_a_translation_crop_equals_that_of_the_whole_image(
    noise: Prepared, resize_px: int, crop_px: int, past_edge: bool
) -> None:
    protocol = translation(name="mine", resize_px=resize_px, crop_px=crop_px, batch_size=3, crop_past_edge=past_edge)
    batches = TranslationBatches(noise, TRANSLATION, protocol, seed=6)
    for step in STEPS:
        x_BMCHW, y_BCHW = batches.batch(step)
        for scene, draw, x_MCHW, y_CHW in zip(*drawn(6, step, 3), x_BMCHW, y_BCHW, strict=True):
            window = transforms.translation_window(draw, SHAPE, resize_px, crop_px, True, past_edge)
            for token, found_CHW in zip((*TRANSLATION.inputs, "rgb"), (*x_MCHW, y_CHW), strict=True):
                name = stored_name(token, "translation")
                compared(noise, name, "translation", scene, window, (-1.0,), found_CHW)


class Recorded:
    """An array that records which of its pixels are read."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.read = array, np.zeros(array.shape[:3], bool)

    def __getitem__(self, key: Any) -> np.ndarray:
        self.read[key] = True
        return self.array[key]


def needed(stored_px: int, scaled_px: int, begin: int, crop_px: int, blended: bool) -> np.ndarray:
    """Which stored rows a crop needs: a loop over its pixels, in exact fractions."""
    rows = np.zeros(stored_px, bool)
    for pixel in range(begin, min(begin + crop_px, scaled_px)):
        if not blended:
            rows[(2 * pixel + 1) * stored_px // (2 * scaled_px)] = True
            continue
        twice = max(0, (2 * pixel + 1) * stored_px - scaled_px)  # the position times two scaled_px
        low = twice // (2 * scaled_px)
        rows[low] = True
        if scaled_px != stored_px:
            rows[min(low + 1, stored_px - 1)] = True
    return rows


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.5, 2.0), (2.0, 2.0)])
def test_only_the_rows_and_columns_a_crop_shows_are_read(noise: Prepared, scales: tuple[float, float]) -> None:
    crop_px, names = 20, ("rgb", "depth_zbuffer", "normal", "shade", "semantic")
    protocol = segmentation(scale_min=scales[0], scale_max=scales[1], crop_px=crop_px, batch_size=1)
    batches = SegmentationBatches(noise, SEGMENTATION, protocol, seed=7)
    for step in STEPS:
        arrays = {name: Recorded(noise.array(name)[: SCENES - 1]) for name in names}
        batches._split._arrays = arrays
        batches.batch(step)
        (scene,), (draw,) = drawn(7, step, 1)
        window = transforms.segmentation_window(draw, SHAPE, crop_px, scales, mirror=True)
        for name, array in arrays.items():
            blended = transforms.interpolation(name) == "bilinear"
            rows, columns = (
                needed(stored, scaled, begin, crop_px, blended)
                for stored, scaled, begin in (
                    (SHAPE[0], window.height, window.top),
                    (SHAPE[1], window.width, window.left),
                )
            )
            expected = np.zeros_like(array.read)
            expected[scene] = between_the_ends(rows)[:, None] & between_the_ends(columns)
            np.testing.assert_array_equal(array.read, expected)


def between_the_ends(flags: np.ndarray) -> np.ndarray:
    """Set all flags from the first set one to the last: a block is read in one piece, even if the crop skips rows."""
    places = np.flatnonzero(flags)
    filled = np.zeros_like(flags)
    filled[places[0] : places[-1] + 1] = True
    return filled


def test_values_keep_their_stored_type_until_the_device(noise: Prepared) -> None:
    stored = SegmentationBatches(noise, SEGMENTATION, segmentation(batch_size=2), seed=1).read(0)
    for crop in stored.crops:
        assert [block.dtype for block in crop.blocks] == [
            torch.uint8, torch.uint16, torch.uint8, torch.uint8, torch.uint8,
        ]  # fmt: skip


def test_a_batch_does_not_point_into_the_file(noise: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prepared dataset may be rewritten while a batch of it is in flight."""
    protocol = segmentation(crop_px=53, scale_min=1.0, scale_max=1.0)
    in_memory = SegmentationBatches(noise, SEGMENTATION, protocol, seed=1)
    monkeypatch.setattr("cenbench.data.split.RAM_LIMIT_BYTES", 0)
    mapped = SegmentationBatches(noise, SEGMENTATION, protocol, seed=1)
    assert isinstance(mapped._split._arrays["rgb"], np.memmap)
    assert not isinstance(in_memory._split._arrays["rgb"], np.memmap)
    for crop in mapped.read(0).crops:
        for name, block in zip(("rgb", "depth_zbuffer"), crop.blocks, strict=False):
            assert block.shape[:2] == SHAPE
            assert not np.shares_memory(block.numpy(), noise.array(name))
    for found, expected in zip(mapped.batch(3), in_memory.batch(3), strict=True):
        assert torch.equal(found, expected)


def test_sizes_of_the_paper_agree_with_pytorch_too() -> None:
    """Long axes strain float32 positions most: 468 and 625, scaled by 0.5 to 2."""
    for stored in (468, 625):
        ramp = torch.arange(stored, dtype=torch.float32)
        noise = torch.rand(stored, generator=torch.Generator().manual_seed(stored))
        for scaled in range(math.ceil(stored / 2), 2 * stored + 1, 7):
            for geometry, mode in (("bilinear", "linear"), ("nearest-exact", "nearest-exact")):
                found = taps(stored, scaled, 0, scaled, geometry)
                line = noise if geometry == "bilinear" else ramp
                align = False if geometry == "bilinear" else None
                expected = torch.nn.functional.interpolate(line[None, None], scaled, mode=mode, align_corners=align)
                values = line[found.start + found.first]
                if found.second is not None:
                    values = values.lerp(line[found.start + found.second], found.weight)
                torch.testing.assert_close(values, expected[0, 0], atol=0 if align is None else 1e-6, rtol=0)
