"""Batches are a function of (seed, step); every modality and the label take the same geometry; values are as declared.

Alignment is proved with index-coded arrays: every modality of a pixel holds the number of that pixel (and scene), so
what comes out says where it came from.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_dataset import write_dataset
from torch import Tensor

from cenbench.data import transforms
from cenbench.data.batches import EvalBatches, SegmentationBatches, TranslationBatches
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.matrix.cell import Task
from cenbench.matrix.specs import SegmentationProtocol, TranslationProtocol

TRAIN, VAL, HEIGHT, WIDTH = 6, 3, 8, 10
SEGMENTATION = Task.parse("rgb+depth+normal->semantic")
CODED = Task.parse("depth+depth_zbuffer->semantic")


def segmentation(**changes: Any) -> SegmentationProtocol:
    given = {
        "name": "clean", "phases": [{"epochs": 1, "lr_encoder": 1e-3, "lr_decoder": 1e-3}], "batch_size": 2,
        "momentum": 0.9, "weight_decay": 0.0, "lambda_l1": 0.0, "theta": 0.01, "crop_px": 7,
    }  # fmt: skip
    return SegmentationProtocol(**{**given, **changes})


def translation(**changes: Any) -> TranslationProtocol:
    given = {
        "name": "clean", "epochs": 1, "batch_size": 2, "lr": 1e-3, "beta1": 0.5, "beta2": 0.9, "lambda_l1": 0.0,
        "theta": 0.01, "resize_px": 8, "crop_px": 6,
    }  # fmt: skip
    return TranslationProtocol(**{**given, **changes})


def pixel_numbers(scenes: int = TRAIN + VAL, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(N, H, W) 1, 2, 3, ...: unique to a pixel of a scene; 0 is left for 'missing'."""
    return 1 + np.arange(scenes * height * width).reshape(scenes, height, width)


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Both depths and the label hold the pixel's number: the first whole, the last modulo 200 (void stays free)."""
    numbers = pixel_numbers()
    stored = numbers.astype(np.uint16)
    arrays = {"depth_euclidean": stored, "depth_zbuffer": stored, "semantic": (numbers % 200).astype(np.uint8)}
    # Colours and normals that follow the pixel's number, smooth enough to be blended.
    columns = np.broadcast_to(np.arange(WIDTH) * 25, numbers.shape)
    rows = np.broadcast_to(np.arange(HEIGHT)[:, None] * 30, numbers.shape)
    arrays["rgb"] = np.stack([columns, rows, numbers % 256], -1).astype(np.uint8)
    arrays["normal"] = np.stack([columns, rows, numbers % 256], -1).astype(np.uint8)
    arrays["shade"] = rows.astype(np.uint8)
    arrays["texture"] = (columns * 40).astype(np.uint16)
    arrays["edge"] = (rows * 40).astype(np.uint16)
    return write_dataset(tmp_path_factory.mktemp("coded"), arrays, TRAIN)


def sources(depth_CHW: Tensor) -> np.ndarray:
    """Number of the stored pixel behind each pixel of a depth input in metres; 0 in the padding."""
    return np.rint(depth_CHW[0].numpy() * 512).astype(int)


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_a_batch_is_a_function_of_seed_and_step(coded: Prepared, kind: str) -> None:
    def made(seed: int) -> SegmentationBatches | TranslationBatches:
        if kind == "segmentation":
            return SegmentationBatches(coded, SEGMENTATION, segmentation(), seed)
        return TranslationBatches(coded, Task.parse("shade+texture->rgb"), translation(), seed)

    first = made(1)
    in_order = [first.batch(step) for step in range(7)]
    torch.manual_seed(0)  # global random numbers are not to matter
    np.random.seed(0)  # noqa: NPY002
    second = made(1)
    for step in (5, 0, 6, 3, 0):
        for found, expected in zip(second.batch(step), in_order[step], strict=True):
            assert torch.equal(found, expected)
    for step in range(3):
        assert not torch.equal(made(2).batch(step)[0], in_order[step][0])
    inputs = [x for x, _ in in_order]
    assert not any(torch.equal(a, b) for n, a in enumerate(inputs) for b in inputs[:n]), "no step repeats another"


@pytest.mark.parametrize("batch_size", [1, 2, 3, 6])
def test_every_scene_once_an_epoch_in_an_order_of_its_own(coded: Prepared, batch_size: int) -> None:
    protocol = segmentation(batch_size=batch_size, crop_px=HEIGHT, scale_min=1.0, scale_max=1.0)
    batches = SegmentationBatches(coded, CODED, protocol, seed=4)
    assert batches.steps_per_epoch == TRAIN // batch_size
    orders = []
    for epoch in range(4):
        order: list[int] = []
        for step in range(batches.steps_per_epoch):
            x_BMCHW, _ = batches.batch(epoch * batches.steps_per_epoch + step)
            order += [(int(sources(x[0]).max()) - 1) // (HEIGHT * WIDTH) for x in x_BMCHW]
        assert sorted(order) == list(range(TRAIN))
        orders.append(tuple(order))
    assert len(set(orders)) > 1


def test_what_does_not_fill_a_batch_waits_for_another_epoch(coded: Prepared) -> None:
    batches = SegmentationBatches(coded, CODED, segmentation(batch_size=4), seed=4)
    assert batches.steps_per_epoch == 1
    seen = set()
    for epoch in range(12):
        scenes = [(int(sources(x[0]).max()) - 1) // (HEIGHT * WIDTH) for x in batches.batch(epoch)[0]]
        assert len(set(scenes)) == 4
        seen.update(scenes)
    assert seen == set(range(TRAIN)), "over some epochs nothing is left out"


def test_a_batch_larger_than_the_split_is_an_error(coded: Prepared) -> None:
    with pytest.raises(UserError, match="no step") as caught:
        SegmentationBatches(coded, CODED, segmentation(batch_size=7), seed=0)
    assert (caught.value.key, caught.value.found, caught.value.expected) == ("protocol.batch_size", 7, "<= 6")


def expected_source(scene: int, window: transforms.Window, crop_px: int) -> np.ndarray:
    """Number of the stored pixel behind each pixel of a crop, one at a time; 0 where it is padding."""
    numbers = np.zeros((crop_px, crop_px), int)
    for row in range(crop_px):
        for column in range(crop_px):
            y = window.top + row
            x = window.left + (crop_px - 1 - column if window.mirror else column)
            if y < window.height and x < window.width:
                # The stored pixel whose area holds the centre of this one.
                i = math.floor((y + 0.5) * HEIGHT / window.height)
                j = math.floor((x + 0.5) * WIDTH / window.width)
                numbers[row, column] = 1 + (scene * HEIGHT + i) * WIDTH + j
    return numbers


@pytest.mark.parametrize(("scales", "crop_px"), [((1.0, 1.0), 7), ((0.5, 2.0), 7), ((0.5, 0.8), 11)])
def test_depth_and_label_come_from_the_same_pixel(coded: Prepared, scales: tuple[float, float], crop_px: int) -> None:
    """Scaled, padded, cropped, mirrored: nearest neighbours, against a loop over pixels."""
    protocol = segmentation(crop_px=crop_px, scale_min=scales[0], scale_max=scales[1])
    batches = SegmentationBatches(coded, CODED, protocol, seed=9)
    mirrored, padded = set(), False
    for step in range(12):
        x_BMCHW, label_BHW = batches.batch(step)
        rows = np.random.default_rng([9, 0, step // 3]).permutation(TRAIN)[step % 3 * 2 : step % 3 * 2 + 2]
        draws = np.random.default_rng([9, 1, step]).random((2, 4))
        for scene, draw, x_MCHW, label_HW in zip(rows, draws, x_BMCHW, label_BHW, strict=True):
            window = transforms.segmentation_window(draw, (HEIGHT, WIDTH), crop_px, scales, mirror=True)
            expected = expected_source(int(scene), window, crop_px)
            for depth_CHW in x_MCHW:
                np.testing.assert_array_equal(sources(depth_CHW), expected)
            np.testing.assert_array_equal(label_HW.numpy(), np.where(expected == 0, 255, expected % 200))
            mirrored.add(window.mirror)
            padded |= bool((expected == 0).any())
    assert mirrored == {True, False}
    assert padded == (scales[0] < 1)


def test_blended_modalities_follow_the_same_window(coded: Prepared) -> None:
    """rgb and normal hold the column and row as a ramp: what bilinear sampling gives is known where depth points."""
    batches = SegmentationBatches(coded, SEGMENTATION, segmentation(scale_min=1.5, scale_max=2.0, crop_px=8), seed=3)
    for step in range(9):
        x_BMCHW, _ = batches.batch(step)
        for rgb_CHW, depth_CHW, normal_CHW in x_BMCHW:
            place = sources(depth_CHW) - 1
            row, column = place // WIDTH % HEIGHT, place % WIDTH
            stored = rgb_CHW.double() * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1).double()
            stored = 255 * (stored + torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1).double())
            # A blended sample lies within half a stored pixel of the nearest one's centre; float32 rounds the rest.
            assert np.abs(stored[0].numpy() / 25 - column).max() <= 0.5 + 1e-4
            assert np.abs(stored[1].numpy() / 30 - row).max() <= 0.5 + 1e-4
            # Normals take the same samples: x turns round with the mirror, y stays.
            mirrored = bool(column[0, 0] > column[0, -1])
            x_axis = -normal_CHW[0] if mirrored else normal_CHW[0]
            np.testing.assert_allclose((x_axis + 1) * 127.5, stored[0], atol=2e-4)
            np.testing.assert_allclose((normal_CHW[1] + 1) * 127.5, stored[1], atol=2e-4)


def test_translation_inputs_and_target_follow_the_same_window(coded: Prepared) -> None:
    """Every modality here is a ramp of the row or the column; equal ramps must stay equal after resize and crop."""
    batches = TranslationBatches(
        coded, Task.parse("shade+texture+edge->rgb"), translation(resize_px=13, crop_px=8), seed=5
    )
    crops, mirrored = set(), set()
    for step in range(9):
        x_BMCHW, y_BCHW = batches.batch(step)
        assert x_BMCHW.shape == (2, 3, 3, 8, 8)
        assert y_BCHW.shape == (2, 3, 8, 8)
        shade, texture, edge = ((x_BMCHW[:, m, 0] + 1) / 2 for m in range(3))
        rgb = (y_BCHW + 1) / 2
        # Stored: shade = row * 30 / 255, edge = row * 1200 / 10000, texture = column * 1000 / 10000. Float32.
        torch.testing.assert_close(shade, rgb[:, 1], atol=1e-6, rtol=0)
        torch.testing.assert_close(edge / 1200 * 10_000, shade / 30 * 255, atol=2e-5, rtol=0)
        torch.testing.assert_close(texture / 1000 * 10_000, rgb[:, 0] / 25 * 255, atol=2e-5, rtol=0)
        for each in rgb:
            mirrored.add(bool(each[0, 0, 0] > each[0, 0, -1]))
            crops.add((round(float(each[0].min()), 4), round(float(each[1].min()), 4)))
    assert mirrored == {True, False}
    assert len(crops) > 4, "crops lie at different places"


def test_mirroring_can_be_turned_off(coded: Prepared) -> None:
    protocol = segmentation(mirror=False, scale_min=1.0, scale_max=1.0)
    batches = SegmentationBatches(coded, CODED, protocol, seed=1)
    for step in range(10):
        for x_MCHW in batches.batch(step)[0]:
            assert (np.diff(sources(x_MCHW[0]), axis=1) == 1).all()


def test_windows_reach_every_place_and_no_other() -> None:
    """Crops of 3 in 5 x 4: three tops, two lefts, drawn by the ends of [0, 1) too."""
    draws = [np.array([0.0, 0.9, top, left]) for top in (0, 0.4, 0.9999999) for left in (0, 0.9999999)]
    windows = [transforms.segmentation_window(draw, (5, 4), 3, (1.0, 1.0), True) for draw in draws]
    assert {(window.top, window.left) for window in windows} == {(t, left) for t in (0, 1, 2) for left in (0, 1)}
    assert {(window.height, window.width, window.mirror) for window in windows} == {(5, 4, False)}


def test_scales_are_drawn_from_the_declared_range() -> None:
    for draw, side in ((0.0, 50), (0.5, 125), (1 - 1e-12, 200)):
        window = transforms.segmentation_window(np.array([draw, 0, 0, 0]), (100, 100), 60, (0.5, 2.0), True)
        assert window.height == window.width == side
    window = transforms.translation_window(np.zeros(4), (30, 40), 60, 50, True)
    assert (window.height, window.width) == (60, 80), "the shorter side is resized, proportions stay"


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
@pytest.mark.parametrize(("split", "scenes"), [("val", range(TRAIN, TRAIN + VAL)), ("train", range(TRAIN))])
def test_evaluation_covers_a_split_in_order_and_whole(
    coded: Prepared, split: str, scenes: range, batch_size: int
) -> None:
    batches = EvalBatches(coded, CODED, split, batch_size)
    for _ in range(2):
        pieces = list(batches)
        assert len(pieces) == len(batches) == math.ceil(len(scenes) / batch_size)
        assert [len(label) for _, label in pieces[:-1]] == [batch_size] * (len(pieces) - 1)
        inputs, labels = (torch.cat(each) for each in zip(*pieces, strict=True))
        expected = pixel_numbers()[list(scenes)]
        np.testing.assert_array_equal(np.rint(inputs[:, 0, 0].numpy() * 512), expected)
        np.testing.assert_array_equal(labels.numpy(), expected % 200)


def test_an_unknown_split_or_modality_is_an_error(coded: Prepared) -> None:
    with pytest.raises(UserError, match="no such split"):
        EvalBatches(coded, CODED, "test", 1)


def whole(coded: Prepared, task: str) -> tuple[Tensor, Tensor]:
    return next(iter(EvalBatches(coded, Task.parse(task), "val", VAL)))


def stored(coded: Prepared, name: str) -> np.ndarray:
    array: np.ndarray = coded.array(name)[TRAIN:].astype(np.float64)
    return array


def test_segmentation_values(coded: Prepared) -> None:
    """rgb by ImageNet's mean and deviation, depth in metres; label int64. Float32 arithmetic: 1e-6 of the range."""
    x_BMCHW, label_BHW = whole(coded, "rgb+depth+normal->semantic")
    assert x_BMCHW.shape == (VAL, 3, 3, HEIGHT, WIDTH)
    assert (x_BMCHW.dtype, label_BHW.dtype) == (torch.float32, torch.int64)
    for channel, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        expected = (stored(coded, "rgb")[..., channel] / 255 - mean) / std
        np.testing.assert_allclose(x_BMCHW[:, 0, channel], expected, atol=3e-6)
        np.testing.assert_allclose(x_BMCHW[:, 1, channel], stored(coded, "depth_zbuffer") / 512, rtol=1e-6)
        np.testing.assert_allclose(x_BMCHW[:, 2, channel], stored(coded, "normal")[..., channel] / 127.5 - 1, atol=1e-6)


def test_translation_values(coded: Prepared) -> None:
    """All in [-1, 1]; depth by log(1 + stored) / 11.1; one channel stands in three."""
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


def test_translation_stays_within_its_range_at_the_ends_of_storage(tmp_path: Path) -> None:
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
            assert -1.0 <= float(values.min()) < -0.5, "blended, and still inside"
            assert 0.5 < float(values.max()) <= 1.0


def test_missing_depth_is_never_blended_with_what_is_beside_it(tmp_path: Path) -> None:
    """Holes stay holes and distances stay distances under any scale: only stored values come out."""
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
