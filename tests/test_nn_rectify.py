"""Rectifiers that write over their input: the values and gradients of those that do not, and nobody else's memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cenbench.nn.rectify import leaky_relu_over, relu_over

CASES = [(relu_over, F.relu), (lambda x: leaky_relu_over(x, 0.2), lambda x: F.leaky_relu(x, 0.2))]


@pytest.mark.parametrize(("over", "plain"), CASES)
@pytest.mark.parametrize("made", ["sum", "view", "expanded"])
def test_values_and_gradients(over: Callable[[Tensor], Tensor], plain: Callable[[Tensor], Tensor], made: str) -> None:
    results = []
    for rectify in (over, plain):
        torch.manual_seed(0)
        leaf = torch.randn(3, 4, requires_grad=True)
        x = {"sum": leaf + 1, "view": (leaf + 1).view(2, 6), "expanded": (leaf + 1)[:, :1].expand(3, 4)}[made]
        y = rectify(x)
        (gradient,) = torch.autograd.grad((y * torch.randn_like(y)).sum(), leaf)
        results.append((y.detach(), gradient))
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(("over", "plain"), CASES)
def test_a_new_tensor_is_written_over_and_a_view_is_not(
    over: Callable[[Tensor], Tensor], plain: Callable[[Tensor], Tensor]
) -> None:
    base = torch.tensor([-1.0, 2.0], requires_grad=True) + 0
    assert over(base.view(1, 2)).data_ptr() != base.data_ptr()
    assert base.tolist() == [-1.0, 2.0]
    assert over(base).data_ptr() == base.data_ptr()


@pytest.mark.parametrize(("over", "plain"), CASES)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_nothing_is_written_over(
    over: Callable[[Tensor], Tensor],
    plain: Callable[[Tensor], Tensor],
    mode: Callable[[], torch.autograd.grad_mode.no_grad],
) -> None:
    with mode():
        x = torch.tensor([[-1.0], [2.0]])
        y = over(x.expand(2, 3))
        assert torch.equal(y, plain(x).expand(2, 3))
        assert x.flatten().tolist() == [-1.0, 2.0]
