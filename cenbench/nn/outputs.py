"""What a network in training gives: its predictions, and the terms of the loss that come out of its inside."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Outputs(NamedTuple):
    """`y_BSCHW`: the output streams, the ensemble last."""

    y_BSCHW: Tensor
    penalty: Tensor
    """Sum of the fusion operators' penalties, a scalar; zero for methods without one and out of training."""
    auxiliary_BMCHW: Tensor | None = None
    """A head's auxiliary predictions, one a modality; None where it has none, and out of training."""
