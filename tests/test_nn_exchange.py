"""Exchange by loops over modalities and channels; gradients by finite differences; nothing waits for the device.

Source: paper.md#equation-6.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cenbench.nn.exchange import exchange, own_parts
from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.unet import build_generator

THETA = 0.1


def by_loop(x: Tensor, gamma: Tensor, theta: float, own: Tensor | None = None) -> Tensor:
    """x'_m,c = mean over n != m of x_n,c where |gamma_m,c| < theta (and c is m's own), else x_m,c."""
    M, C = gamma.shape
    result = x.clone()
    for m in range(M):
        for c in range(C):
            if abs(gamma[m, c].item()) < theta and (own is None or own[m, c]):
                others = [x[:, n, c] for n in range(M) if n != m]
                result[:, m, c] = sum(others[1:], others[0]) / len(others)
    return result


def drawn(M: int, C: int = 12) -> tuple[Tensor, Tensor]:
    torch.manual_seed(M)
    gamma = torch.rand(M, C, dtype=torch.float64) * 0.2 - 0.1 + torch.randint(0, 2, (M, C)) * 0.3
    gamma[:, 0] = 0.01  # all modalities under the threshold at once
    gamma[:, 1] = THETA  # exactly at it: kept
    gamma[:, 2] = -THETA
    gamma[0, 3], gamma[1:, 3] = 0.0, 1.0
    return torch.randn(2, M, C, 3, 2, dtype=torch.float64), gamma


@pytest.mark.parametrize("M", [2, 3, 4])
@pytest.mark.parametrize("own_part_only", [False, True])
def test_exchange_is_equation_6(M: int, own_part_only: bool) -> None:
    x, gamma = drawn(M)
    own = own_parts(M, 12) if own_part_only else None
    found = exchange(x, gamma, THETA, own)
    # (sum - own) / (M - 1) rounds differently from a sum of the others: a few units in the last place.
    torch.testing.assert_close(found, by_loop(x, gamma, THETA, own), rtol=0, atol=1e-14)
    assert torch.equal(found[:, :, 1:3], x[:, :, 1:3]), "a factor of exactly theta is kept"


def test_two_modalities_under_the_threshold_swap() -> None:
    x, _ = drawn(2)
    assert torch.equal(exchange(x, torch.zeros(2, 12), THETA), x.flip(1))


@pytest.mark.parametrize("M", [2, 3])
def test_gradient_follows_the_copied_value(M: int) -> None:
    x, gamma = drawn(M, 4)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda value: exchange(value, gamma, THETA), (x,))
    weights = torch.randn_like(x)
    (found,) = torch.autograd.grad((exchange(x, gamma, THETA) * weights).sum(), x)
    (expected,) = torch.autograd.grad((by_loop(x, gamma, THETA) * weights).sum(), x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def test_input_is_left_as_it_was_and_gamma_gets_no_gradient() -> None:
    x, gamma = drawn(3)
    before = x.clone()
    x.requires_grad_()
    gamma.requires_grad_()
    exchange(x, gamma, THETA).sum().backward()
    assert torch.equal(x, before)
    assert gamma.grad is None


@pytest.mark.parametrize(("M", "C"), [(2, 8), (3, 8), (4, 30), (2, 7), (1, 5)])
def test_own_parts_are_disjoint_cover_all_and_are_even(M: int, C: int) -> None:
    own = own_parts(M, C)
    assert own.sum(0).tolist() == [1] * C
    sizes = own.sum(1).tolist()
    assert max(sizes) - min(sizes) <= 1
    if (M, C) == (2, 8):
        assert own.tolist() == [[True] * 4 + [False] * 4, [False] * 4 + [True] * 4]


@pytest.mark.parametrize("convs", ["shared", "unshared"])
def test_forward_never_reads_a_value(convs: str) -> None:
    """On the meta device there are none: boolean indexing or `.item()` would raise. So a GPU is never waited for."""
    common = {"convs": convs, "norms": "unshared", "fusion": "exchange", "theta": THETA, "dropout": 0.5}
    with torch.device("meta"):
        net = build_segmenter(modalities=3, classes=5, depth=18, width=8, decoder_width=8, **common)
        logits = net(torch.zeros(2, 3, 3, 64, 64))
        assert logits.shape == (2, 4, 5, 16, 16)
        logits.sum().backward()
        generator = build_generator(modalities=2, levels=4, width=8, **common)
        image = generator(torch.zeros(2, 2, 3, 32, 32))
        assert image.shape == (2, 3, 3, 32, 32)
        image.sum().backward()
