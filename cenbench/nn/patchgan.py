"""The PatchGAN discriminator: one for all modalities, norms included (paper.md#patchgan)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cenbench.nn.init import normal_init
from cenbench.nn.norm import GammaInit, ModalityNorm
from cenbench.nn.rectify import leaky_relu_over


class PatchGAN(nn.Module):
    """`(condition_N3HW, image_N3HW) -> logits_N1hw`: is each patch of the image real, given the input modality?

    Modalities are folded into N. `layers` is the number of strided convolutions (three in the paper: 70 px patches,
    30 x 30 of them at 256 px). The sigmoid is in the loss.
    """

    def __init__(self, *, width: int, layers: int, gamma_init: GammaInit = "ones") -> None:
        super().__init__()
        channels = [6, *(width * min(2**level, 8) for level in range(layers + 1)), 1]
        strides = [2] * layers + [1, 1]
        self.convs = nn.ModuleList(
            nn.Conv2d(channels[i], channels[i + 1], 4, stride, padding=1) for i, stride in enumerate(strides)
        )
        self.norms = nn.ModuleList(
            ModalityNorm("instance", 1, c, affine_shared=True, statistics_shared=True, gamma_init=gamma_init)
            for c in channels[2:-1]
        )
        normal_init(self)

    def forward(self, condition_NCHW: Tensor, image_NCHW: Tensor) -> Tensor:
        x = leaky_relu_over(self.convs[0](torch.cat([condition_NCHW, image_NCHW], dim=1)), 0.2)
        for conv, norm in zip(self.convs[1:-1], self.norms, strict=True):
            x = leaky_relu_over(norm(conv(x).unsqueeze(1)).squeeze(1), 0.2)
        answers: Tensor = self.convs[-1](x)
        return answers


def build_discriminator(*, width: int, layers: int, gamma_init: GammaInit = "ones") -> PatchGAN:
    """PatchGAN: `(condition_N3HW, image_N3HW) -> logits_N1hw`; one for all modalities, folded into N.

    Without the released code's norms that are never applied: 130 parameters fewer at paper size.
    """
    return PatchGAN(width=width, layers=layers, gamma_init=gamma_init)
