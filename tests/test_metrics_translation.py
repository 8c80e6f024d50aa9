"""FID and KID against torch-fidelity and closed forms; large sets; distances of known images; by stream together."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cenbench.errors import UserError
from cenbench.metrics import fid, kid_x100, psnr_db, ssim
from cenbench.metrics.inputs.extractors import Extractor, load_extractor
from cenbench.metrics.inputs.features import Features, FeatureSets, Subsets
from cenbench.metrics.inputs.images import to_uint8
from cenbench.metrics.inputs.pixels import Pixels
from cenbench.metrics.inputs.scores import feature_scores, pixel_scores
from cenbench.metrics.inputs.torchvision_shim import import_torchvision

import_torchvision()  # torch-fidelity and torchmetrics import torchvision
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric  # noqa: E402
from torch_fidelity.metric_kid import kid_features_to_metric  # noqa: E402
from torchmetrics.functional.image import (  # noqa: E402
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

CPU = torch.device("cpu")
# Fewer samples than dimensions, more than dimensions, and of different number: every way through `frechet_distance`.
SIZES = [(8, 8, 24), (60, 60, 6), (12, 300, 16), (300, 12, 16)]


def features(seed: int, N: int, D: int, shift: float = 0.0) -> Tensor:
    """Correlated and not centred, as an extractor's are."""
    rng = np.random.default_rng([seed, N, D])
    return torch.from_numpy(rng.standard_normal((N, D)) @ rng.standard_normal((D, D)) + rng.standard_normal(D) + shift)


def pair(sizes: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    fakes, reals, D = sizes
    return features(1, fakes, D, 0.5), features(2, reals, D)


@pytest.mark.parametrize("sizes", SIZES)
def test_fid_is_torch_fidelitys(sizes: tuple[int, int, int]) -> None:
    fake, real = pair(sizes)
    statistics = [fid_features_to_statistics(x_ND) for x_ND in (fake, real)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    # Its eigenvalues that should be zero are 1e-16 of the largest, their roots 1e-8.
    assert fid.frechet_distance(fake, real) == pytest.approx(expected, rel=1e-6)


def test_fid_of_gaussians_on_a_line_is_known_in_closed_form() -> None:
    """|m - n|^2 + (s - t)^2 in one dimension."""
    fake, real = features(3, 50, 1, 2.0), features(4, 70, 1)
    expected = (fake.mean() - real.mean()) ** 2 + (fake.std() - real.std()) ** 2
    assert fid.frechet_distance(fake, real) == pytest.approx(float(expected), rel=1e-12)  # some roundings of float64


@pytest.mark.parametrize("sizes", [(8, 8, 24), (60, 60, 6)])
def test_fid_of_a_set_with_itself_is_zero_and_fid_is_symmetric(sizes: tuple[int, int, int]) -> None:
    fake, real = pair(sizes)
    scale = float(fake.square().sum(1).mean())
    assert abs(fid.frechet_distance(fake, fake.flip(0))) < 1e-12 * scale
    assert fid.frechet_distance(fake, real) == pytest.approx(fid.frechet_distance(real, fake), rel=1e-12)


def kid(fake_ND: Tensor, real_ND: Tensor, count: int, size: int, seed: int) -> float:
    return kid_x100.compute(FeatureSets(fake_ND, real_ND, Subsets(count, size, seed)))


@pytest.mark.parametrize(("subsets", "subset_size", "seed"), [(1, 40, 0), (4, 40, 1), (7, 13, 2020)])
def test_kid_is_torch_fidelitys_draw_for_draw(subsets: int, subset_size: int, seed: int) -> None:
    fake, real = features(8, 40, 12, 0.2), features(9, 52, 12)
    settings = {"kid_subsets": subsets, "kid_subset_size": subset_size, "rng_seed": seed, "verbose": False}
    expected = kid_features_to_metric(fake, real, **settings)["kernel_inception_distance_mean"]
    # Equal kernels summed in another order, with cancellation between terms some hundred times the difference.
    assert kid(fake, real, subsets, subset_size, seed) == pytest.approx(100 * expected, rel=1e-9)


def test_kid_of_whole_sets_is_the_same_for_any_count_and_seed() -> None:
    fake, real = features(10, 20, 6), features(11, 20, 6)
    values = {round(kid(fake, real, subsets, 20, seed), 9) for subsets, seed in ((1, 0), (5, 1), (2, 77))}
    assert len(values) == 1


def test_kid_depends_on_its_seed_and_repeats_with_it() -> None:
    fake, real = features(12, 30, 6), features(13, 30, 6)
    values = [kid(fake, real, 2, 10, seed) for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


def test_kid_of_fewer_images_than_a_subset_is_an_error() -> None:
    with pytest.raises(UserError, match="larger than the set") as caught:
        kid(features(14, 10, 3), features(15, 9, 3), 2, 10, 0)
    assert caught.value.key == "evaluation.kid_subset_size"
    assert caught.value.expected == "at most 9, the number of images"


def test_kid_of_large_sets_needs_no_matrix_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = features(16, 50_000, 4, 0.2), features(17, 50_000, 4)
    shapes = set()
    kernel = kid_x100.polynomial_kernel

    def watched(a_ND: Tensor, b_ND: Tensor) -> Tensor:
        shapes.add((len(a_ND), len(b_ND)))
        assert len(a_ND) * len(b_ND) <= 10**6, "gigabytes"
        return kernel(a_ND, b_ND)

    monkeypatch.setattr(kid_x100, "polynomial_kernel", watched)
    value = kid(fake, real, 3, 100, 0)
    assert shapes == {(100, 100)}
    assert value > 0


def test_kid_is_the_same_with_kernels_by_subset_or_of_the_whole_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = features(18, 40, 12, 0.2), features(19, 52, 12)
    whole = kid(fake, real, 4, 13, 3)
    monkeypatch.setattr(kid_x100, "_SMALL", 51)
    # Equal products, added up in another order by the matrix product.
    assert kid(fake, real, 4, 13, 3) == pytest.approx(whole, rel=1e-9)


def images(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def scored(pairs: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Of one stream, an image (C, H, W) and its target at a time."""
    made = Pixels(("rgb",), CPU)
    for image_CHW, target_CHW in pairs:
        made.update(image_CHW[None, None], target_CHW[None])
    return pixel_scores(made)["rgb"]


def constant(value: float) -> Tensor:
    return torch.full((3, 12, 12), value, dtype=torch.float64)


def test_distances_of_constants_are_known() -> None:
    """0.5 apart in half of the pixels: MAE 0.25, MSE 0.125; the root is taken once, of the pooled mean."""
    found = scored([(constant(0), constant(0.5)), (constant(0), constant(0))])
    assert [found[name] for name in ("mae_x10", "rmse_x10", "mse_x10")] == [2.5, 10 * math.sqrt(0.125), 1.25]


def test_psnr_of_constants_is_known_and_that_of_equal_images_is_capped() -> None:
    """0.2 apart: 10 log10(2^2 / 0.2^2) = 20 dB, to the precision of a float32 logarithm."""
    apart, equal = (constant(0), constant(0.2)), (constant(0.3), constant(0.3))
    assert scored([apart])["psnr_db"] == pytest.approx(20, rel=1e-6)
    assert scored([equal])["psnr_db"] == 100
    assert scored([(constant(0), constant(1e-9))])["psnr_db"] == 100, "180 dB"
    assert scored([apart, equal])["psnr_db"] == pytest.approx((20 + 100) / 2, rel=1e-6)


def test_ssim_of_constants_is_known() -> None:
    """Without variance it is (2 a b + C1) / (a^2 + b^2 + C1), C1 = (0.01 * 2)^2 for a range of 2."""
    a, b, c1 = 0.5, -0.25, 0.02**2
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    # Variances of constants are rounding errors of 1e-17, next to C2 = 0.0036.
    assert scored([(constant(a), constant(b))])["ssim"] == pytest.approx(expected, rel=1e-12)
    mean = scored([(constant(a), constant(b)), (constant(a), constant(a))])["ssim"]
    assert mean == pytest.approx((expected + 1) / 2, rel=1e-12), "the mean over images"


@pytest.mark.parametrize(("height", "width"), [(6, 6), (6, 31), (48, 20), (64, 64)])
@pytest.mark.parametrize("kind", ["noise", "smooth", "binary"])
def test_ssim_and_psnr_are_those_of_torchmetrics(height: int, width: int, kind: str) -> None:
    """In float64, where both round to some 1e-16; its PSNR is computed in the same order, so it is the same number."""
    generator = torch.Generator().manual_seed(height * width)
    target_BCHW = torch.rand(2, 3, height, width, generator=generator) * 2 - 1
    if kind != "noise":
        coarse = F.interpolate(target_BCHW[..., ::5, ::5], size=(height, width), mode="bilinear")
        target_BCHW = coarse.sign() if kind == "binary" else coarse
    noise_BSCHW = torch.randn(2, 4, 3, height, width, generator=generator)
    image_BSCHW = (target_BCHW[:, None] + 0.2 * noise_BSCHW).clamp(-1, 1)
    similarity_BS, ratio_BS = ssim.values(image_BSCHW, target_BCHW), psnr_db.values(image_BSCHW, target_BCHW)
    for image_SCHW, target_CHW, similarity_S, ratio_S in zip(
        image_BSCHW.double(), target_BCHW.double(), similarity_BS, ratio_BS, strict=True
    ):
        target_SCHW = target_CHW.expand_as(image_SCHW)
        similarity = structural_similarity_index_measure(image_SCHW, target_SCHW, data_range=2.0, reduction="none")
        ratio = peak_signal_noise_ratio(image_SCHW, target_SCHW, data_range=2.0, reduction="none", dim=(1, 2, 3))
        torch.testing.assert_close(similarity_S, similarity, rtol=1e-12, atol=0)
        assert torch.equal(ratio_S, ratio)


def test_ssim_of_an_image_smaller_than_its_window_is_an_error() -> None:
    image_CHW = torch.zeros(3, 5, 20)
    with pytest.raises(UserError, match="too small for SSIM") as caught:
        scored([(image_CHW, image_CHW)])
    assert (caught.value.found, caught.value.expected) == ("5 x 20 px", "at least 6 px")


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
    made = Features(("shade", "texture", "ensemble"), stand_in, real_ND, Subsets(2, 4, 1))
    for piece in (slice(0, 4), slice(4, 8), slice(8, 9)):
        made.update(image_BSCHW[piece])
    found = feature_scores(made)
    assert list(found) == ["shade", "texture", "ensemble"]
    for number, stream in enumerate(found):
        fake_ND = stand_in.features(to_uint8(image_BSCHW[:, number]))
        # One image at a time or nine: float64 convolutions add in an order that may differ.
        assert found[stream]["fid"] == pytest.approx(fid.frechet_distance(fake_ND, real_ND), rel=1e-9, abs=1e-9)
        assert found[stream]["kid_x100"] == pytest.approx(kid(fake_ND, real_ND, 2, 4, 1), rel=1e-9)
    assert abs(found["texture"]["fid"]) < 1e-6 < found["shade"]["fid"]
