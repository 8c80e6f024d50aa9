"""Parameters and operations of a network, counted on its modules."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from cenbench.nn.fusion_operator import FusionOperator


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_fusion_parameters(network: nn.Module) -> int:
    """Number of trainable parameters in fusion operators (tables: "parameters used for fusion")."""
    return sum(count_parameters(module) for module in network.modules() if isinstance(module, FusionOperator))


def count_flops(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Floating-point operations of one forward pass in evaluation mode: convolutions and matrix products only, two per
    multiply-add.

    Passes zeros of `shape` through a copy of the network, on its device. The meta device would compute nothing, but
    torch's compiler is imported for its shapes: a second of every process, more than all metrics of a small cell.
    """
    device = next(network.parameters()).device
    random = torch.random.fork_rng([device] if device.type == "cuda" else [])
    # Inference mode would hand over operations such as bilinear resizing whole; taking them apart imports sympy.
    with torch.inference_mode(False), random, _Operations() as counted, torch.no_grad():
        copied = copy.deepcopy(network).eval()
        copied(torch.zeros(shape, device=device))
    return int(counted.total)


class _Operations(TorchDispatchMode):
    """Adds up torch's own formulas, as `torch.utils.flop_counter.FlopCounterMode` does, without the compiler."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """By default the compiler is imported, to tell it to leave this mode alone."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.total += formula(*args, **kwargs, out_val=found)
        return found
