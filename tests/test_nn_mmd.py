"""MK-MMD against a double loop over pairs, and what an unbiased estimate must do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cenbench.nn.mmd import MAX_SAMPLES, mk_mmd, positions


def by_loop(x: Tensor, y: Tensor) -> float:
    """The estimate as it is written down: float64, one pair at a time."""
    both = [*x.double(), *y.double()]
    n = len(both)
    width = sum((a - b).square().sum().item() for a in both for b in both) / (n * (n - 1))

    def kernel(a: Tensor, b: Tensor) -> float:
        squared = (a - b).square().sum().item()
        return sum(math.exp(-squared / (width * 2.0**i)) for i in range(-5, 6)) / 11

    xs, ys = both[: len(x)], both[len(x) :]
    within = [sum(kernel(a, b) for i, a in enumerate(zs) for j, b in enumerate(zs) if i != j) for zs in (xs, ys)]
    between = sum(kernel(a, b) for a in xs for b in ys)
    n = len(x)
    if n == 1:
        return 2 - 2 * between
    return sum(within) / (n * (n - 1)) - 2 * between / n**2


@pytest.mark.parametrize(("n", "c"), [(1, 5), (2, 3), (7, 4), (40, 16)])
def test_by_a_double_loop(n: int, c: int) -> None:
    torch.manual_seed(n)
    x, y = torch.randn(n, c), torch.randn(n, c) * 1.5 + 0.3
    # float32 kernels of values near one: sums of n^2 of them, divided again.
    assert mk_mmd(x, y).item() == pytest.approx(by_loop(x, y), abs=3e-6)


def by_autograd(x: Tensor, y: Tensor) -> Tensor:
    """The estimate on whole matrices of distances, in float64, differentiated by torch."""
    n = len(x)
    z = torch.cat([x, y]).detach()
    width = (z[:, None] - z).square().sum(2).sum() / (2 * n * (2 * n - 1))

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        ratio = (a[:, None] - b).square().sum(2) / width
        return sum(torch.exp(-ratio / 2.0**i) for i in range(-5, 6)) / 11

    off = 1 - torch.eye(n, dtype=x.dtype)
    return ((kernel(x, x) + kernel(y, y)) * off).sum() / (n * (n - 1)) - 2 * kernel(x, y).mean()


@pytest.mark.parametrize("n", [2, 30, 300])
def test_gradient_by_autograd(n: int) -> None:
    """One block of rows and several; float32 against float64: sums of n kernels, so five digits."""
    torch.manual_seed(n)
    x, y = torch.randn(n, 6, requires_grad=True), (torch.randn(n, 6) + 0.5).requires_grad_()
    found = torch.autograd.grad(3 * mk_mmd(x, y), (x, y))
    expected = torch.autograd.grad(3 * by_autograd(x.double(), y.double()), (x, y))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * theirs.abs().max().item())


def test_zero_in_the_mean_for_equal_distributions_and_large_for_others() -> None:
    torch.manual_seed(0)
    same = torch.stack([mk_mmd(torch.randn(50, 4), torch.randn(50, 4)) for _ in range(200)])
    assert abs(same.mean()) < 3 * same.std() / math.sqrt(200), "unbiased: within three standard errors of zero"
    assert same.min() < 0, "and not clipped at zero, or it would be biased"
    assert mk_mmd(torch.randn(50, 4), torch.randn(50, 4) + 2) > 10 * same.std()


def test_a_step_along_the_gradient_brings_samples_together() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(30, 4, requires_grad=True), torch.randn(30, 4) + 1
    before = mk_mmd(x, y)
    (gradient,) = torch.autograd.grad(before, x)
    assert mk_mmd(x - 5 * gradient, y) < before


@pytest.mark.parametrize(("size", "batch"), [((64, 64), 4), ((5, 7), 2), ((1, 1), 1), ((125, 125), 6)])
def test_positions_are_samples_and_not_too_many(size: tuple[int, int], batch: int) -> None:
    y = torch.arange(batch * 2 * 3 * size[0] * size[1], dtype=torch.float32).view(batch, 2, 3, *size)
    samples = positions(y)
    assert samples.shape[0] == 2
    assert samples.shape[2] == 3
    # A regular grid rounds up at the edges: a row and a column more a picture.
    assert 1 <= samples.shape[1] <= MAX_SAMPLES * 1.25
    assert torch.equal(samples[1, 0], y[0, 1, :, 0, 0])


def test_equal_vectors_give_no_nan() -> None:
    x = torch.ones(4, 3, requires_grad=True)
    value = mk_mmd(x, torch.ones(4, 3))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert x.grad.isfinite().all()
