"""The l1 term on the scaling factors (paper.md#equation-4), and how many of them it has driven below the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from cenbench.nn.exchange import ConstrainedNorm, own_parts
from cenbench.nn.network import Network

L1 = Literal["none", "half", "all"]


class Sparsity:
    """Reads the constrained scaling factors of a network that is already on its device.

    `none`: nothing is penalised. `half`: each modality's own part of the channels ("half-channel" in the tables; M
    disjoint parts for M modalities). `all`: every channel of every modality. ValueError for `half` where the
    modalities share their scaling factors.
    """

    def __init__(self, network: nn.Module, l1: L1) -> None:
        self.l1 = l1
        norms = {name: module for name, module in network.named_modules() if isinstance(module, ConstrainedNorm)}
        first = next(iter(norms.values()))
        modalities, affine_shared = first.modalities, first.affine_shared
        # After a merge there is one stream, so no other modality to exchange with.
        self.norms = {name: norm for name, norm in norms.items() if norm.modalities == modalities}
        """The constrained norms by their dotted names in the network, in its order."""
        self._norms = list(self.norms.values())
        self._gamma: Tensor | None = None
        if l1 == "half" and affine_shared and modalities > 1:
            raise ValueError("l1 'half' needs private scaling factors per modality; this network's norms share them")
        own_MN = torch.cat([own_parts(modalities, norm.channels) for norm in self._norms], dim=1)
        mask_MN = own_MN if l1 == "half" else torch.ones_like(own_MN)
        self._mask_MN = mask_MN.to(self._norms[0].weight.device)

    def penalty(self) -> Tensor:
        """Sum of |gamma| over the penalised scaling factors, a scalar. Shared ones count once."""
        gamma = torch.cat([norm.weight for norm in self._norms], dim=1)
        self._gamma = gamma.detach()  # no copy, and nothing waits: see `observed`
        if self.l1 == "none":
            return gamma.new_zeros(())
        if self.l1 == "all":
            return gamma.abs().sum()
        return (gamma.abs() * self._mask_MN).sum()

    @torch.no_grad()
    def below_theta(self, theta: float) -> Tensor:
        """Fraction of each modality's penalised scaling factors (all of them for `none`) with |gamma| < theta, (M,)."""
        gamma = torch.cat([norm.gamma_MC() for norm in self._norms], dim=1)
        return ((gamma.abs() < theta) & self._mask_MN).sum(1) / self._mask_MN.sum(1)

    @torch.no_grad()
    def exchanged(self) -> Tensor | None:
        """Share of each modality's channels after exchanging norms that are replaced, (M,); None where no norm is
        followed by exchange.
        """
        masks = [mask_MC for norm in self._norms if (mask_MC := norm.replaced_MC()) is not None]
        return torch.cat(masks, dim=1).float().mean(1) if masks else None

    @torch.no_grad()
    def observed(self, l1_weight: float) -> tuple[Tensor, Tensor, Tensor]:
        """After a step: the scaling factors, the gradients with respect to them without the l1 term, and those with
        respect to the offsets, each (M, N) over the N channels of `norms` side by side, on the device.

        `l1_weight` is the factor of `penalty` in the loss. The gradients are those that the last `penalty` belongs to:
        the l1 term's part is subtracted with the signs that the scaling factors had then, before the optimiser changed
        them, so the result is exact to the rounding of one float32 sum. Weight decay is no part of a gradient, because
        both optimisers add it to their own copy. A fusion method's own penalty and PSPNet's auxiliary loss are a part.
        """
        gradient = torch.cat([_or_zeros(norm.weight) for norm in self._norms], dim=1)
        if self.l1 != "none":
            assert self._gamma is not None  # a step was taken
            sign = self._gamma.sign()
            gradient = gradient - l1_weight * (sign * self._mask_MN if self.l1 == "half" else sign)
        gamma = torch.cat([norm.weight for norm in self._norms], dim=1)
        offset = torch.cat([_or_zeros(norm.bias) for norm in self._norms], dim=1)
        shape = self._mask_MN.shape
        return gamma.expand(shape), gradient.expand(shape), offset.expand(shape)

    @torch.no_grad()
    def under(self, gamma_MN: Tensor, theta: float) -> Tensor:
        """(M, N) bool: which of the scaling factors are under the threshold, in the part that may be exchanged."""
        parts = [norm.own_part_MC for norm in self._norms]
        under_MN = gamma_MN.abs() < theta
        if any(part is None for part in parts):
            return under_MN
        return under_MN & torch.cat([part for part in parts if part is not None], dim=1).to(gamma_MN.device)


def _or_zeros(parameter: nn.Parameter) -> Tensor:
    """Its gradient; zeros where the loss does not depend on it."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def traced_norms(network: Network, convs: Sequence[int]) -> tuple[str, ...]:
    """Dotted names of the norms after these convolutions of the encoder, counted from one as the paper's figures do:
    the 3x3 convolutions of a ResNet, all convolutions of a U-Net. The last one with a constrained norm where a network
    has none of them.
    """
    first = network.first_constrained_conv
    names = dict(enumerate(Sparsity(network, "none").norms, start=first))
    return tuple(names[conv] for conv in sorted(set(convs)) if conv in names) or (names[max(names)],)
