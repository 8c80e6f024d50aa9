"""The l1 term on the scaling factors (paper.md#equation-4), and how many of them it has driven below the threshold."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from cenbench.nn.exchange import ConstrainedNorm, own_parts

L1 = Literal["none", "half", "all"]


class Sparsity:
    """Reads the constrained scaling factors of a network that is already on its device.

    `none`: nothing is penalised. `half`: each modality's own part of the channels ("half-channel" in the tables; M
    disjoint parts for M modalities). `all`: every channel of every modality. ValueError for `half` where the
    modalities share their scaling factors.
    """

    def __init__(self, network: nn.Module, l1: L1) -> None:
        self.l1 = l1
        norms = [module for module in network.modules() if isinstance(module, ConstrainedNorm)]
        modalities, affine_shared = norms[0].modalities, norms[0].affine_shared
        # After a merge there is one stream, so no other modality to exchange with.
        self._norms = [norm for norm in norms if norm.modalities == modalities]
        if l1 == "half" and affine_shared and modalities > 1:
            raise ValueError("l1 'half' needs private scaling factors per modality; this network's norms share them")
        own_MN = torch.cat([own_parts(modalities, norm.channels) for norm in self._norms], dim=1)
        mask_MN = own_MN if l1 == "half" else torch.ones_like(own_MN)
        self._mask_MN = mask_MN.to(self._norms[0].weight.device)

    def penalty(self) -> Tensor:
        """Sum of |gamma| over the penalised scaling factors, a scalar. Shared ones count once."""
        gamma = torch.cat([norm.weight for norm in self._norms], dim=1)
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
