"""Rectifiers that write over their input where nothing else reads it: half the memory, and no pages to be zeroed."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def relu_over(x: Tensor) -> Tensor:
    """`max(x, 0)`, written over `x` where that is cheap; the caller reads `x` no more.

    The layer `x` came from must not need its output for its gradient: convolutions, norms and sums do not.
    """
    return F.relu(x, inplace=_may_be_written(x))


def leaky_relu_over(x: Tensor, slope: float) -> Tensor:
    """`x` where positive, else `slope * x`; as `relu_over`."""
    return F.leaky_relu(x, slope, inplace=_may_be_written(x))


def _may_be_written(x: Tensor) -> bool:
    """In place on a view costs two copies in the backward pass; what is a view is known only where gradients are."""
    return x.requires_grad and not x.is_leaf and not x._is_view()
