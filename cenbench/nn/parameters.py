"""Counting what training changes."""

from __future__ import annotations

from torch import nn


def count_parameters(network: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in network.parameters())
