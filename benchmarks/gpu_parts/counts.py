"""Operations and memory of a training step, counted from its modules on the meta device: nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from cenbench.train.optimizers import Optimizer
from gpu_parts.cases import AnyTrainer, Case, parallel_trainer

META = torch.device("meta")


@dataclass(frozen=True)
class StepCounts:
    """What one training step needs at least, in float32."""

    flops: int
    """Operations of all convolutions and matrix products, two per multiply-add, forward and backward."""
    state_bytes: int
    """Parameters, their gradients, optimiser state and running statistics."""
    saved_bytes: int
    """Tensors kept from the forward pass for the backward pass, each storage once, without parameters and buffers. Of
    several backward passes in a step, the largest sum is an upper bound of what exists at the same time.
    """


def count_step(case: Case) -> StepCounts:
    """The counts of one step of our formulation in float32."""
    with meta_trainer(case) as trainer:
        trainer.step(0)  # makes the gradients and the optimisers' state
        with counted_flops(networks(trainer)) as flops, counted_saved(networks(trainer)) as saved:
            trainer.step(1)
        return StepCounts(flops[0], _state_bytes(trainer), saved[0])


@contextmanager
def meta_trainer(case: Case) -> Iterator[AnyTrainer]:
    """A trainer on the meta device. There is no autocast there; it changes no count."""
    with patch("torch.autocast", lambda *_, **__: nullcontext()), META:
        yield parallel_trainer(case, "float32", META)


def networks(trainer: AnyTrainer) -> list[nn.Module]:
    return [part for part in vars(trainer).values() if isinstance(part, nn.Module)]


def optimizers(trainer: AnyTrainer) -> list[Optimizer]:
    return [part for part in vars(trainer).values() if isinstance(part, Optimizer)]


@contextmanager
def counted_flops(roots: list[nn.Module]) -> Iterator[list[int]]:
    """Counts the convolutions of `roots` that run inside the block, with the backward passes they will need.

    A forward pass costs 2 * outputs * inputs per output; the gradients of weight and input cost the same again, each
    where it is needed.
    """
    total = [0]

    def count(conv: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
        (x,) = inputs
        # Each weight meets every position once: of the output, or of the input where the convolution is transposed.
        positions = x if isinstance(conv, nn.ConvTranspose2d) else output
        forward = 2 * conv.weight.numel() * positions.shape[0] * positions.shape[2] * positions.shape[3]
        total[0] += forward * (1 + torch.is_grad_enabled() * (conv.weight.requires_grad + x.requires_grad))

    convs = [
        module for root in roots for module in root.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    ]
    hooks = [conv.register_forward_hook(count) for conv in convs]
    try:
        yield total
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def counted_saved(roots: list[nn.Module]) -> Iterator[list[int]]:
    """Sums the storages that the autograd graph keeps, each once, without parameters and buffers."""
    total = [0]
    seen = {_storage(tensor) for root in roots for tensor in (*root.parameters(), *root.buffers())}
    kept: list[Any] = []  # an address is not used again while its storage lives

    def pack(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in seen:
            seen.add(_storage(tensor))
            kept.append(tensor.untyped_storage())
            total[0] += tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield total


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _state_bytes(trainer: AnyTrainer) -> int:
    tensors = [tensor for root in networks(trainer) for tensor in (*root.parameters(), *root.buffers())]
    tensors += [tensor.grad for tensor in tensors if tensor.grad is not None]
    for optimizer in optimizers(trainer):
        tensors += _tensors_in(optimizer.state_dict())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _tensors_in(state: Any) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    values = state.values() if isinstance(state, dict) else state if isinstance(state, list) else ()
    return [tensor for value in values for tensor in _tensors_in(value)]
