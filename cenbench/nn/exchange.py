"""Channel exchange (paper.md#equation-6) and the disjoint parts of the channels it was proposed for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import torch
from torch import Tensor

from cenbench.nn.norm import Kind, ModalityNorm, NormFlags


def exchange(x_BMCHW: Tensor, gamma_MC: Tensor, theta: float, own_part_MC: Tensor | None = None) -> Tensor:
    """Replace each channel whose |gamma| is below `theta` by the mean of the other modalities' channels.

    Source: paper.md#equation-6.

    Replacements read the original values: if a channel of both of two modalities is below the threshold, they swap. A
    channel at exactly `theta` is kept. The gradient follows the copied value: the replaced channel receives none, and
    its donors receive the gradient of the copy. `own_part_MC` (bool) restricts replacement to modality m's own part of
    the channels, as the paper says but the released code does not (paper.md#own-part). The mask is applied with
    `torch.where` and never read by the host, so nothing waits for the device.

    x_BMCHW needs M >= 2; gamma_MC holds the scaling factors of the norm that produced x.
    """
    replaced_MC = replaced(gamma_MC.detach(), theta, own_part_MC)
    return replace_channels(x_BMCHW, replaced_MC)


def replace_channels(x_BMCHW: Tensor, replaced_MC: Tensor) -> Tensor:
    """Replace the channels under a bool mask by the mean of the other modalities' channels; M >= 2."""
    return torch.where(replaced_MC[:, :, None, None], mean_of_others(x_BMCHW), x_BMCHW)


def replaced(gamma_MC: Tensor, theta: float, own_part_MC: Tensor | None = None) -> Tensor:
    """(M, C) bool: the channels that `exchange` replaces."""
    small_MC = gamma_MC.abs() < theta
    return small_MC if own_part_MC is None else small_MC & own_part_MC


def mean_of_others(x_BMCHW: Tensor) -> Tensor:
    """For each modality, the mean over the others, same shape. With M = 2 this is the other one, bit for bit."""
    M = x_BMCHW.shape[1]
    if M == 2:
        return x_BMCHW.flip(1)
    return (x_BMCHW.sum(1, keepdim=True) - x_BMCHW) / (M - 1)


def own_parts(modalities: int, channels: int) -> Tensor:
    """(M, C) bool: modality m owns channels [m C / M, (m + 1) C / M). With M = 2: the first and the second half.

    The parts are disjoint, cover every channel, and differ in size by at most one.
    """
    edges = [channels * m // modalities for m in range(modalities + 1)]
    mask = torch.zeros(modalities, channels, dtype=torch.bool)
    for m in range(modalities):
        mask[m, edges[m] : edges[m + 1]] = True
    return mask


class ConstrainedNorm(ModalityNorm):
    """A norm whose scaling factors are under the l1 term, and the exchange after it.

    Source: paper.md#equation-4, paper.md#equation-6.

    `theta` None: no exchange. What follows in the network is the activation. `masked`: exchange under a fixed mask
    instead, which is part of the state; it is empty until `draw_mask`.
    """

    own_part_MC: Tensor | None
    mask_MC: Tensor | None

    def __init__(
        self,
        kind: Kind,
        modalities: int,
        channels: int,
        *,
        theta: float | None = None,
        own_part_only: bool = False,
        masked: bool = False,
        **flags: Unpack[NormFlags],
    ) -> None:
        super().__init__(kind, modalities, channels, **flags)
        self.theta = theta
        self.register_buffer(
            "own_part_MC", own_parts(modalities, channels) if own_part_only else None, persistent=False
        )
        self.register_buffer("mask_MC", torch.zeros(modalities, channels, dtype=torch.bool) if masked else None)

    def draw_mask(self, draw: Callable[[int, int], Tensor]) -> None:
        """Take the mask that `draw(modalities, channels)` returns, where this norm has one."""
        if self.mask_MC is None:
            return
        mask_MC = draw(self.modalities, self.channels)
        self.mask_MC.copy_(mask_MC if self.own_part_MC is None else mask_MC & self.own_part_MC)

    def replaced_MC(self) -> Tensor | None:
        """(M, C) bool: the channels that are replaced now; None where nothing is exchanged."""
        if self.mask_MC is not None:
            return self.mask_MC
        return None if self.theta is None else replaced(self.gamma_MC().detach(), self.theta, self.own_part_MC)

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        x_BMCHW = super().forward(x_BMCHW)
        if self.mask_MC is not None:
            return replace_channels(x_BMCHW, self.mask_MC)
        if self.theta is None:
            return x_BMCHW
        return exchange(x_BMCHW, self.weight, self.theta, self.own_part_MC)
