"""Batches are a function of (seed, step); all modalities and the label share one geometry.

Alignment is tested with index-coded arrays: every modality of a pixel holds the number of that pixel (and scene), so
every output value shows where it came from.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from coded_dataset import HEIGHT, TRAIN, VAL, WIDTH, coded_dataset, pixel_numbers, segmentation, translation
from torch import Tensor

from cenbench.data import transforms
from cenbench.data.batches import EvalBatches, SegmentationBatches, TranslationBatches
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.matrix.cell import Task

SEGMENTATION = Task.parse("rgb+depth+normal->semantic")
CODED = Task.parse("depth+depth_zbuffer->semantic")


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return coded_dataset(tmp_path_factory.mktemp("coded"))


def sources(depth_CHW: Tensor) -> np.ndarray:
    """Number of the stored pixel behind each pixel of a depth input in metres; 0 for padding."""
    return np.rint(depth_CHW[0].numpy() * 512).astype(int)


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_a_batch_is_a_function_of_seed_and_step(coded: Prepared, kind: str) -> None:
    def made(seed: int) -> SegmentationBatches | TranslationBatches:
        if kind == "segmentation":
            return SegmentationBatches(coded, SEGMENTATION, segmentation(), seed)
        return TranslationBatches(coded, Task.parse("shade+texture->rgb"), translation(), seed)

    first = made(1)
    in_order = [first.batch(step) for step in range(7)]
    torch.manual_seed(0)  # global random state must not matter
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
def test_each_epoch_holds_every_scene_once_in_a_new_order(coded: Prepared, batch_size: int) -> None:
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


def test_scenes_that_do_not_fill_a_batch_come_up_in_another_epoch(coded: Prepared) -> None:
    batches = SegmentationBatches(coded, CODED, segmentation(batch_size=4), seed=4)
    assert batches.steps_per_epoch == 1
    seen = set()
    for epoch in range(12):
        scenes = [(int(sources(x[0]).max()) - 1) // (HEIGHT * WIDTH) for x in batches.batch(epoch)[0]]
        assert len(set(scenes)) == 4
        seen.update(scenes)
    assert seen == set(range(TRAIN)), "no scene is left out of every epoch"


def test_a_batch_larger_than_the_split_is_an_error(coded: Prepared) -> None:
    with pytest.raises(UserError, match="smaller than one batch") as caught:
        SegmentationBatches(coded, CODED, segmentation(batch_size=7), seed=0)
    assert (caught.value.key, caught.value.found, caught.value.expected) == ("protocol.batch_size", 7, "<= 6")


def expected_source(scene: int, window: transforms.Window, crop_px: int) -> np.ndarray:
    """Number of the stored pixel behind each pixel of a crop, computed one at a time; 0 for padding."""
    numbers = np.zeros((crop_px, crop_px), int)
    for row in range(crop_px):
        for column in range(crop_px):
            y = window.top + row
            x = window.left + (crop_px - 1 - column if window.mirror else column)
            if y < window.height and x < window.width:
                # The stored pixel whose area contains the centre of this one.
                i = math.floor((y + 0.5) * HEIGHT / window.height)
                j = math.floor((x + 0.5) * WIDTH / window.width)
                numbers[row, column] = 1 + (scene * HEIGHT + i) * WIDTH + j
    return numbers


@pytest.mark.parametrize(("scales", "crop_px"), [((1.0, 1.0), 7), ((0.5, 2.0), 7), ((0.5, 0.8), 11)])
def test_depth_and_label_come_from_the_same_pixel(coded: Prepared, scales: tuple[float, float], crop_px: int) -> None:
    """Scaled, padded, cropped and mirrored by nearest neighbours, compared with a loop over pixels."""
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
    """rgb and normal hold column and row as a ramp, so depth tells which value bilinear sampling must give."""
    batches = SegmentationBatches(coded, SEGMENTATION, segmentation(scale_min=1.5, scale_max=2.0, crop_px=8), seed=3)
    for step in range(9):
        x_BMCHW, _ = batches.batch(step)
        for rgb_CHW, depth_CHW, normal_CHW in x_BMCHW:
            place = sources(depth_CHW) - 1
            row, column = place // WIDTH % HEIGHT, place % WIDTH
            stored = rgb_CHW.double() * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1).double()
            stored = 255 * (stored + torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1).double())
            # A blended sample lies within half a stored pixel of the nearest centre; the rest is float32 rounding.
            assert np.abs(stored[0].numpy() / 25 - column).max() <= 0.5 + 1e-4
            assert np.abs(stored[1].numpy() / 30 - row).max() <= 0.5 + 1e-4
            # Normals take the same samples: a mirror negates x and keeps y.
            mirrored = bool(column[0, 0] > column[0, -1])
            x_axis = -normal_CHW[0] if mirrored else normal_CHW[0]
            np.testing.assert_allclose((x_axis + 1) * 127.5, stored[0], atol=2e-4)
            np.testing.assert_allclose((normal_CHW[1] + 1) * 127.5, stored[1], atol=2e-4)


def test_translation_inputs_and_target_follow_the_same_window(coded: Prepared) -> None:
    """Every modality is a ramp over rows or columns; equal ramps must stay equal after resize and crop."""
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
        for rgb_CHW in rgb:
            mirrored.add(bool(rgb_CHW[0, 0, 0] > rgb_CHW[0, 0, -1]))
            crops.add((round(float(rgb_CHW[0].min()), 4), round(float(rgb_CHW[1].min()), 4)))
    assert mirrored == {True, False}
    assert len(crops) > 4, "crops lie at different positions"


def test_mirroring_can_be_disabled(coded: Prepared) -> None:
    protocol = segmentation(mirror=False, scale_min=1.0, scale_max=1.0)
    batches = SegmentationBatches(coded, CODED, protocol, seed=1)
    for step in range(10):
        for x_MCHW in batches.batch(step)[0]:
            assert (np.diff(sources(x_MCHW[0]), axis=1) == 1).all()


def test_windows_reach_every_position_inside_and_none_outside() -> None:
    """Crops of 3 in 5 x 4: three tops and two lefts, the ends of [0, 1) included."""
    draws = [np.array([0.0, 0.9, top, left]) for top in (0, 0.4, 0.9999999) for left in (0, 0.9999999)]
    windows = [transforms.segmentation_window(draw, (5, 4), 3, (1.0, 1.0), True) for draw in draws]
    assert {(window.top, window.left) for window in windows} == {(t, left) for t in (0, 1, 2) for left in (0, 1)}
    assert {(window.height, window.width, window.mirror) for window in windows} == {(5, 4, False)}


def test_scales_are_drawn_from_the_declared_range() -> None:
    for draw, side in ((0.0, 50), (0.5, 125), (1 - 1e-12, 200)):
        window = transforms.segmentation_window(np.array([draw, 0, 0, 0]), (100, 100), 60, (0.5, 2.0), True)
        assert window.height == window.width == side
    window = transforms.translation_window(np.zeros(4), (30, 40), 60, 50, True)
    assert (window.height, window.width) == (60, 80), "the shorter side is resized, proportions are kept"


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
@pytest.mark.parametrize(("split", "scenes"), [("val", range(TRAIN, TRAIN + VAL)), ("train", range(TRAIN))])
def test_evaluation_covers_a_split_completely_and_in_order(
    coded: Prepared, split: str, scenes: range, batch_size: int
) -> None:
    batches = EvalBatches(coded, CODED, split, batch_size)
    for _ in range(2):
        pieces = list(batches)
        assert len(pieces) == len(batches) == math.ceil(len(scenes) / batch_size)
        assert [len(label) for _, label in pieces[:-1]] == [batch_size] * (len(pieces) - 1)
        inputs, labels = (torch.cat(parts) for parts in zip(*pieces, strict=True))
        expected = pixel_numbers()[list(scenes)]
        np.testing.assert_array_equal(np.rint(inputs[:, 0, 0].numpy() * 512), expected)
        np.testing.assert_array_equal(labels.numpy(), expected % 200)


def test_an_unknown_split_or_modality_is_an_error(coded: Prepared) -> None:
    with pytest.raises(UserError, match="has no split 'test'"):
        EvalBatches(coded, CODED, "test", 1)
