"""Initial weights of the translation networks."""

from __future__ import annotations

from torch import nn


def normal_init(module: nn.Module) -> None:
    """Weights of convolutions from N(0, 0.02), biases as in torch (paper.md#initial-weights)."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(child.weight, 0.0, 0.02)
