"""Parameters and operations of a network, counted on its modules."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cenbench.nn.fusion_operator import FusionOperator


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_fusion_parameters(network: nn.Module) -> int:
    """Number of trainable parameters in fusion operators (tables: "parameters used for fusion")."""
    return sum(count_parameters(module) for module in network.modules() if isinstance(module, FusionOperator))


def count_flops(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Floating-point operations of one forward pass in evaluation mode: convolutions and matrix products only, two per
    multiply-add. Nothing is computed: a copy on the meta device passes shapes through.
    """
    shadow = copy.deepcopy(network).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(shape, device="meta"))
    return int(counter.get_total_flops())
