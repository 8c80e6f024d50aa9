"""Corruptions agree with closed forms and pixel by pixel references, and are the same for every network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tiny_dataset import write_dataset

from cenbench.data.batches import EvalBatches
from cenbench.data.corrupted import absent, corrupted
from cenbench.data.corruption import (
    CORRUPTIONS,
    corruption_generator,
    darkening,
    depth_holes,
    depth_noise,
    overexposure,
)
from cenbench.data.exposure import scene_exposures
from cenbench.data.manifest import ModalityEntry
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.matrix.cell import Task
from cenbench.matrix.condition import ACTS_ON

DEPTH = ModalityEntry(
    file="depth_zbuffer.npy", dtype="uint16", shape=(1, 64, 80), unit="1/512 m", range=(1, 65535), missing=0
)
RGB = ModalityEntry(file="rgb.npy", dtype="uint8", shape=(1, 16, 16, 3), unit="sRGB", range=(0, 255))


def generator() -> np.random.Generator:
    return corruption_generator("depth_noise", 1, 0)


def test_every_declared_kind_has_a_corruption() -> None:
    assert set(CORRUPTIONS) == set(ACTS_ON)


def test_the_error_of_noisy_depth_has_the_declared_deviation_and_holes_stay() -> None:
    stored = np.full((400, 400), 20_000, np.uint16)
    stored[:10] = 0
    noisy = depth_noise(stored, 0.1, DEPTH, generator())
    error = noisy[10:].astype(float) / 20_000 - 1
    # 156,000 normal draws: the standard error of their mean is 0.1 / sqrt(n) = 0.00025, of their deviation 0.00018.
    assert error.mean() == pytest.approx(0, abs=5 * 0.00025)
    assert error.std() == pytest.approx(0.1, abs=5 * 0.00018)
    assert not noisy[:10].any()
    assert (noisy.dtype, noisy.shape) == (stored.dtype, stored.shape)


def test_noise_neither_removes_a_measurement_nor_leaves_the_range() -> None:
    near_and_far = np.array([[1, 2, 65535, 65000]] * 500, np.uint16)
    noisy = depth_noise(near_and_far, 1.0, DEPTH, generator())
    assert noisy.min() == 1
    assert noisy.max() == 65535


def test_a_stronger_noise_is_the_same_noise() -> None:
    stored = np.full((30, 40), 10_000, np.uint16)
    weak, strong = (depth_noise(stored, strength, DEPTH, generator()).astype(float) for strength in (0.05, 0.1))
    # Each is rounded to a whole unit: twice half a unit and half a unit.
    assert np.abs((strong - 10_000) - 2 * (weak - 10_000)).max() <= 1.5


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_holes_cover_the_declared_share_and_leave_the_rest(share: float) -> None:
    stored = np.arange(1, 64 * 80 + 1, dtype=np.uint16).reshape(64, 80)
    holed = depth_holes(stored, share, DEPTH, generator())
    assert (holed == 0).sum() == round(share * stored.size)
    assert (holed[holed != 0] == stored[holed != 0]).all()


def test_holes_are_nested_and_lie_in_patches() -> None:
    stored = np.ones((96, 96), np.uint16)
    few, many = (depth_holes(stored, share, DEPTH, generator()) == 0 for share in (0.2, 0.5))
    assert (many | ~few).all(), "what is missing at a weak strength is missing at a strong one"
    # In single random pixels of this share, a hole's right neighbour would be one with probability 0.2.
    assert (few[:, 1:] & few[:, :-1]).sum() / few[:, :-1].sum() > 0.8


def to_linear(value: int) -> float:
    share = value / 255
    return float(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: float) -> float:
    return 255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("stops", [1.0, 2.0, 3.5])
def test_light_is_scaled_in_linear_intensities(stops: float) -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, axis=-1)
    dark, bright = (function(stored, stops, RGB, generator()) for function in (darkening, overexposure))
    for value in range(256):
        place = (value // 16, value % 16, 0)
        # Half a unit of rounding, and the two branches of sRGB, which meet with a jump below a thousandth of a unit.
        assert abs(int(dark[place]) - to_srgb(to_linear(value) / 2**stops)) <= 0.501
        assert abs(int(bright[place]) - to_srgb(min(1.0, to_linear(value) * 2**stops))) <= 0.501
    assert dark.dtype == bright.dtype == np.uint8


def dataset(folder: Path) -> Prepared:
    draw = np.random.default_rng(0)
    arrays = {
        "rgb": draw.integers(0, 256, (6, 8, 8, 3), np.uint8),
        "depth_zbuffer": draw.integers(1, 5000, (6, 8, 8), np.uint16),
        "depth_euclidean": draw.integers(1, 5000, (6, 8, 8), np.uint16),
        "texture": draw.integers(0, 10_001, (6, 8, 8), np.uint16),
        "semantic": draw.integers(0, 10, (6, 8, 8), np.uint8),
    }
    return write_dataset(folder, arrays, train_scenes=2)


def test_only_one_input_of_one_split_changes(tmp_path: Path) -> None:
    prepared, task = dataset(tmp_path), Task.parse("rgb+depth->semantic")
    view = corrupted(prepared, "depth_zbuffer", "val", "depth_noise", 0.2, seed=3)
    [(before, truth)] = EvalBatches(prepared, task, "val", 4)
    [(after, same)] = EvalBatches(view, task, "val", 4)
    assert (before[:, 0] == after[:, 0]).all()
    assert (truth == same).all()
    assert (before[:, 1] != after[:, 1]).any()
    for scene in range(4):
        stored = prepared.array("depth_zbuffer")[2 + scene]
        draws = np.random.default_rng([3, 0, scene])
        expected = depth_noise(stored, 0.2, prepared.manifest.modalities["depth_zbuffer"], draws)
        assert (view.array("depth_zbuffer")[scene] == expected).all()
    assert view.digest == prepared.digest
    with pytest.raises(UserError, match="no split"):
        view.indices("train")


def test_an_absent_input_is_zero_once_normalised_or_missing_depth(tmp_path: Path) -> None:
    prepared = dataset(tmp_path)
    for text, name, place in (
        ("rgb+depth->semantic", "rgb", 0),
        ("rgb+depth->semantic", "depth_zbuffer", 1),
        ("texture+depth->rgb", "texture", 0),
    ):
        task = Task.parse(text)
        [(x_BMCHW, _)] = EvalBatches(absent(prepared, name, "val", task.kind), task, "val", 4)
        # 255 times the mean is rounded to float32, then divided by 255 and by a deviation of at least 0.224.
        assert x_BMCHW[:, place].abs().max() < 1e-6
        [(clean_BMCHW, _)] = EvalBatches(prepared, task, "val", 4)
        assert (x_BMCHW[:, 1 - place] == clean_BMCHW[:, 1 - place]).all()
    task = Task.parse("texture+depth->rgb")
    [(x_BMCHW, _)] = EvalBatches(absent(prepared, "depth_euclidean", "val", "translation"), task, "val", 4)
    assert (x_BMCHW[:, 1] == 2 * math.log1p(0) - 1).all(), "missing depth, which is black"


def test_other_datasets_do_not_tell_their_exposure(tmp_path: Path) -> None:
    assert scene_exposures(dataset(tmp_path), "val") is None
