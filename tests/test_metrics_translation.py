"""FID and KID against SciPy, loops and torch-fidelity; distances against NumPy; both together by stream."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from cenbench.errors import UserError
from cenbench.metrics import fid, kid
from cenbench.metrics.distance import Distance
from cenbench.metrics.extractors import STAND_IN_LABEL, Extractor, load_extractor
from cenbench.metrics.images import to_uint8
from cenbench.metrics.torchvision_shim import import_torchvision
from cenbench.metrics.translation import TranslationScores

import_torchvision()  # torch-fidelity imports torchvision
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric  # noqa: E402
from torch_fidelity.metric_kid import kid_features_to_metric  # noqa: E402

CPU = torch.device("cpu")
# Fewer samples than dimensions, more than dimensions, and of different number: each way through fid.compute.
SIZES = [(8, 8, 24), (60, 60, 6), (12, 300, 16), (300, 12, 16)]


def features(seed: int, N: int, D: int, shift: float = 0.0) -> Tensor:
    """Correlated and not centred, as an extractor's are."""
    rng = np.random.default_rng([seed, N, D])
    return torch.from_numpy(rng.standard_normal((N, D)) @ rng.standard_normal((D, D)) + rng.standard_normal(D) + shift)


def pair(sizes: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    fakes, reals, D = sizes
    return features(1, fakes, D, 0.5), features(2, reals, D)


@pytest.mark.parametrize("sizes", SIZES)
def test_fid_is_scipys_matrix_root(sizes: tuple[int, int, int]) -> None:
    fake, real = (each.numpy() for each in pair(sizes))
    covariances = [np.cov(each, rowvar=False) for each in (fake, real)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    mean = float(np.sum((fake.mean(0) - real.mean(0)) ** 2))
    expected = mean + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.trace(root).real
    found = fid.compute(torch.from_numpy(fake), torch.from_numpy(real))
    # SciPy roots a singular product where samples are fewer than dimensions: half the digits of float64 are left.
    assert found == pytest.approx(expected, rel=1e-6)
    assert abs(found - mean) > 0.1 * found, "the covariances must matter here"


@pytest.mark.parametrize("sizes", SIZES)
def test_fid_is_torch_fidelitys(sizes: tuple[int, int, int]) -> None:
    fake, real = pair(sizes)
    statistics = [fid_features_to_statistics(each) for each in (fake, real)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    # Its eigenvalues that should be zero are 1e-16 of the largest, their roots 1e-8.
    assert fid.compute(fake, real) == pytest.approx(expected, rel=1e-6)


def test_fid_of_gaussians_on_a_line_is_known_in_closed_form() -> None:
    """|m - n|^2 + (s - t)^2 in one dimension."""
    fake, real = features(3, 50, 1, 2.0), features(4, 70, 1)
    expected = (fake.mean() - real.mean()) ** 2 + (fake.std() - real.std()) ** 2
    assert fid.compute(fake, real) == pytest.approx(float(expected), rel=1e-12)  # some roundings of float64


@pytest.mark.parametrize("sizes", [(8, 8, 24), (60, 60, 6)])
def test_fid_of_a_set_with_itself_is_zero_and_order_is_nothing(sizes: tuple[int, int, int]) -> None:
    fake, real = pair(sizes)
    scale = float(fake.square().sum(1).mean())
    assert abs(fid.compute(fake, fake.flip(0))) < 1e-12 * scale
    assert fid.compute(fake, real) == pytest.approx(fid.compute(real, fake), rel=1e-12)


def mmd2_by_hand(fake: list[list[float]], real: list[list[float]]) -> float:
    """Unbiased MMD^2 of the cubic kernel, one pair of samples at a time."""

    def kernel(x: list[float], y: list[float]) -> float:
        return (math.fsum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    n = len(fake)
    within = sum(kernel(each[i], each[j]) for each in (fake, real) for i in range(n) for j in range(n) if i != j)
    across = sum(kernel(x, y) for x in fake for y in real)
    return within / (n * (n - 1)) - 2 * across / n**2


def test_kid_is_the_mean_of_loops_over_its_subsets() -> None:
    fake, real = features(5, 11, 4, 0.3), features(6, 9, 4)
    draws = np.random.RandomState(7)
    total = 0.0
    for _ in range(3):
        rows = [draws.choice(len(each), 5, replace=False) for each in (fake, real)]
        total += mmd2_by_hand(fake[rows[0]].tolist(), real[rows[1]].tolist())
    # Sums of some tens of float64 terms in another order.
    assert kid.compute(fake, real, subsets=3, subset_size=5, seed=7) == pytest.approx(100 * total / 3, rel=1e-11)


@pytest.mark.parametrize(("subsets", "subset_size", "seed"), [(1, 40, 0), (4, 40, 1), (7, 13, 2020)])
def test_kid_is_torch_fidelitys_draw_for_draw(subsets: int, subset_size: int, seed: int) -> None:
    fake, real = features(8, 40, 12, 0.2), features(9, 52, 12)
    settings = {"kid_subsets": subsets, "kid_subset_size": subset_size, "rng_seed": seed, "verbose": False}
    expected = kid_features_to_metric(fake, real, **settings)["kernel_inception_distance_mean"]
    # Equal kernels summed in another order, with cancellation between terms some hundred times the difference.
    assert kid.compute(fake, real, subsets, subset_size, seed) == pytest.approx(100 * expected, rel=1e-9)


def test_kid_of_whole_sets_is_the_same_for_any_count_and_seed() -> None:
    fake, real = features(10, 20, 6), features(11, 20, 6)
    values = {round(kid.compute(fake, real, subsets, 20, seed), 9) for subsets, seed in ((1, 0), (5, 1), (2, 77))}
    assert len(values) == 1


def test_kid_depends_on_its_seed_and_repeats_with_it() -> None:
    fake, real = features(12, 30, 6), features(13, 30, 6)
    values = [kid.compute(fake, real, 2, 10, seed) for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


def test_kid_of_fewer_images_than_a_subset_is_an_error() -> None:
    with pytest.raises(UserError, match="larger than the set") as caught:
        kid.compute(features(14, 10, 3), features(15, 9, 3), 2, 10, 0)
    assert caught.value.key == "evaluation.kid_subset_size"
    assert caught.value.expected == "at most 9, the number of images"


def images(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_distances_are_numpys_pooled_over_batches_of_any_size() -> None:
    image_BSCHW, target_BCHW = images(1, 7, 2, 3, 5, 6), images(2, 7, 3, 5, 6)
    distance = Distance(2, CPU)
    for piece in ((0, 4), (4, 5), (5, 7)):
        distance.update(image_BSCHW[slice(*piece)], target_BCHW[slice(*piece)])
    for number, found in enumerate(distance.compute()):
        error = image_BSCHW[:, number].numpy().astype(np.float64) - target_BCHW.numpy().astype(np.float64)
        expected = {
            "mae_x10": 10 * np.abs(error).mean(),
            "rmse_x10": 10 * np.sqrt((error**2).mean()),
            "mse_x10": 10 * (error**2).mean(),
        }
        assert found == pytest.approx(expected, rel=1e-12)  # float64 sums of a thousand terms in another order


def test_distances_of_constants_are_known() -> None:
    """0.5 apart in half of the pixels: MAE 0.25, MSE 0.125; the root is taken once, of the pooled mean."""
    distance = Distance(1, CPU)
    distance.update(torch.zeros(1, 1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5))
    distance.update(torch.zeros(1, 1, 3, 2, 2), torch.zeros(1, 3, 2, 2))
    assert distance.compute() == [{"mae_x10": 2.5, "rmse_x10": 10 * math.sqrt(0.125), "mse_x10": 1.25}]


def test_to_uint8_rounds_and_clamps() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(levels.float() / 127.5 - 1), levels)
    # 0.49 and 0.51 of a level above 100, then values outside.
    given = torch.tensor([100.49, 100.51, -40.0, 255.4, 300.0, 1e9]) / 127.5 - 1
    assert to_uint8(given).tolist() == [100, 101, 0, 255, 255, 255]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_image_that_is_not_numbers_is_an_error(value: float) -> None:
    image_BCHW = torch.zeros(2, 3, 4, 4)
    image_BCHW[1, 2, 3, 0] = value
    with pytest.raises(UserError, match="not numbers"):
        to_uint8(image_BCHW)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Extractor]:
    yield load_extractor("seeded-conv", tmp_path_factory.mktemp("no-weights"), CPU)


def test_every_stream_is_measured_against_the_real_set(stand_in: Extractor) -> None:
    image_BSCHW, target_BCHW = images(3, 9, 3, 3, 32, 32), images(4, 9, 3, 32, 32) * 0.5
    image_BSCHW[:, 1] = target_BCHW
    real_ND = stand_in.features(to_uint8(target_BCHW))
    scores = TranslationScores(("shade", "texture", "ensemble"), stand_in, real_ND, 2, 4, 1)
    for piece in (slice(0, 4), slice(4, 8), slice(8, 9)):
        scores.update(image_BSCHW[piece], target_BCHW[piece])
    found = scores.compute()
    assert list(found) == ["shade", "texture", "ensemble"]
    for number, stream in enumerate(found):
        fake_ND = stand_in.features(to_uint8(image_BSCHW[:, number]))
        error = image_BSCHW[:, number].double() - target_BCHW.double()
        # One image at a time or nine: float64 convolutions add in an order that may differ.
        assert found[stream]["fid"] == pytest.approx(fid.compute(fake_ND, real_ND), rel=1e-9, abs=1e-9)
        assert found[stream]["kid_x100"] == pytest.approx(kid.compute(fake_ND, real_ND, 2, 4, 1), rel=1e-9)
        assert found[stream]["mae_x10"] == pytest.approx(10 * float(error.abs().mean()), rel=1e-12)
    assert found["texture"]["mae_x10"] == found["texture"]["mse_x10"] == 0
    assert abs(found["texture"]["fid"]) < 1e-6 < found["shade"]["fid"]


def test_numbers_of_the_stand_in_are_labelled_and_distances_are_not(stand_in: Extractor) -> None:
    scores = TranslationScores(("shade",), stand_in, torch.zeros(2, 96), 1, 2, 0)
    assert scores.stand_in == {"fid": STAND_IN_LABEL, "kid_x100": STAND_IN_LABEL}
    assert "not Inception" in STAND_IN_LABEL
