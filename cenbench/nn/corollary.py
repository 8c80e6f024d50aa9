"""Corollary 1, executable: a network with exchange that computes what one without it computes, where gamma is zero.

Source: paper.md#corollary-1. Where gamma is zero, a norm's output is its offset beta, so the next convolution adds a
constant, W (*) ReLU(beta). The proof exchanges that channel, sets the convolution's weight for it to zero and adds the
constant to its bias. With zero padding the constant is one only away from the border, where fewer weights meet it: what
is added is the convolution of a constant plane, which for a 1x1 convolution is the proof's bias.

Shape suffixes: B batch, M modalities, C channels, H height, W width, O output channels, k kernel.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.conv import ModalityConv
from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.resnet import BasicBlock, Bottleneck


@dataclass(frozen=True)
class Place:
    """One scaling factor: the norm's dotted name in the network, the modality and the channel, counted from zero."""

    layer: str
    modality: int
    channel: int


@dataclass(frozen=True)
class Pair:
    """The two networks of the corollary, in float64 and evaluation mode, and what exchange alone does."""

    without: nn.Module
    """f: the factor is zero and its channel is kept."""
    with_exchange: nn.Module
    """f': the channel is exchanged, and the next convolution ignores it and adds the constant."""
    unadjusted: nn.Module
    """The channel is exchanged and nothing else is changed: differs from f, so equality of f' is no accident."""


class CorollaryFails(ValueError):
    """The proof's construction does not apply to the network; the message says why."""


def smallest_place(network: nn.Module, layer: str | None = None) -> Place:
    """The smallest scaling factor that the construction applies to, in `layer` or anywhere. Raises `CorollaryFails`."""
    norms = _norms(network)
    if layer is not None and layer not in norms:
        known = ", ".join(list(norms)[:3])
        raise CorollaryFails(f"{layer} is not a constrained norm that a convolution follows (known: {known}, ...)")
    chosen = norms if layer is None else {layer: norms[layer]}
    places = []
    for name, norm in chosen.items():
        size_MC = norm.gamma_MC().detach().abs().cpu()
        modality, channel = divmod(int(size_MC.argmin()), norm.channels)
        places.append((float(size_MC.min()), Place(name, modality, channel)))
    return min(places, key=lambda found: found[0])[1]


def corollary_pair(network: nn.Module, place: Place) -> Pair:
    """Copies of `network` with the factor at `place` set to zero: f, f' and the unadjusted one.

    Raises `CorollaryFails`. Every other channel is exchanged, or not, as in `network`.
    """
    _check_place(_norms(network), place)
    base = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        _norms(base)[place.layer].weight[place.modality, place.channel] = 0.0
    without, exchanged = copy.deepcopy(base), copy.deepcopy(base)
    _allow(without, place, exchange=False)
    _allow(exchanged, place, exchange=True)
    adjusted = copy.deepcopy(exchanged)
    _ignore_and_add(adjusted, place)
    return Pair(without, adjusted, exchanged)


def _norms(network: nn.Module) -> dict[str, ConstrainedNorm]:
    """The norms that a ReLU and one convolution with weights per modality follow; may raise `CorollaryFails`."""
    found = {}
    for name, block in network.named_modules():
        if isinstance(block, Bottleneck):
            found[f"{name}.norm2"] = block.norm2, block.conv3
        elif isinstance(block, BasicBlock):
            found[f"{name}.norm1"] = block.norm1, block.conv2
    if not found:
        raise CorollaryFails(
            "the proof is about a norm whose output passes a ReLU into one convolution; a U-Net's goes through a leaky "
            "ReLU to the next convolution and, over the skip connection, to one of the decoder"
        )
    parallel = {name: pair for name, pair in found.items() if pair[0].modalities > 1}
    if not parallel:
        raise CorollaryFails("there is one modality, so no other to exchange with")
    if all(norm.affine_shared for norm, _ in parallel.values()):
        raise CorollaryFails("the modalities share their scaling factors, so none of them is zero for one alone")
    if all(conv.conv.groups == 1 for _, conv in parallel.values()):
        raise CorollaryFails(
            "the modalities share their convolutions: the weight that the proof sets to zero for one modality is that "
            "of all others too. The corollary assumes no sharing of parameters across modalities"
        )
    return {name: norm for name, (norm, _) in parallel.items()}


def _check_place(norms: dict[str, ConstrainedNorm], place: Place) -> None:
    if place.layer not in norms:
        raise CorollaryFails(f"{place.layer} is not a constrained norm that a convolution follows")
    norm = norms[place.layer]
    if not 0 <= place.modality < norm.modalities or not 0 <= place.channel < norm.channels:
        raise CorollaryFails(
            f"{place.layer} has {norm.modalities} modalities of {norm.channels} channels, counted from zero; found "
            f"modality {place.modality}, channel {place.channel}"
        )


def _allow(network: nn.Module, place: Place, *, exchange: bool) -> None:
    """Exchange the channel or keep it, and leave the rule of all others of the norm as it is."""
    norm = _norms(network)[place.layer]
    if norm.mask_MC is not None:
        norm.mask_MC[place.modality, place.channel] = exchange
        return
    allowed_MC = torch.ones_like(norm.weight, dtype=torch.bool) if norm.theta is not None else None
    if allowed_MC is None:
        allowed_MC = torch.zeros_like(norm.weight, dtype=torch.bool)
        norm.theta = torch.finfo(torch.float64).tiny  # only zero itself is smaller
    elif norm.own_part_MC is not None:
        allowed_MC = norm.own_part_MC.clone()
    allowed_MC[place.modality, place.channel] = exchange
    norm.own_part_MC = allowed_MC


def _ignore_and_add(network: nn.Module, place: Place) -> None:
    block_name, _, norm_name = place.layer.rpartition(".")
    block = network.get_submodule(block_name)
    beta = _norms(network)[place.layer].bias[place.modality, place.channel].detach()
    following = "conv3" if norm_name == "norm2" else "conv2"
    setattr(block, following, _ConstantInput(getattr(block, following), place, torch.relu(beta)))


class _ConstantInput(nn.Module):
    """A convolution that ignores one input channel of one modality and adds what it gave for a constant one."""

    def __init__(self, conv: ModalityConv, place: Place, constant: Tensor) -> None:
        super().__init__()
        self.conv, self.modality, self.constant = conv, place.modality, constant
        weight_OCkk = conv.weights()[place.modality]
        self.removed_O1kk = weight_OCkk[:, place.channel : place.channel + 1].detach().clone()
        with torch.no_grad():
            weight_OCkk[:, place.channel] = 0.0

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        plane = self.constant.expand(1, 1, *x_BMCHW.shape[-2:])
        inner = self.conv.conv
        added = F.conv2d(plane, self.removed_O1kk, None, inner.stride, inner.padding, inner.dilation)
        y_BMOHW: Tensor = self.conv(x_BMCHW).clone()
        y_BMOHW[:, self.modality] += added
        return y_BMOHW
