"""Convolutions of parallel modalities: shared weights see the folded batch, unshared ones are one grouped call."""

from __future__ import annotations

from torch import Tensor, nn


class ModalityConv(nn.Module):
    """A (transposed) convolution `x_BMCHW -> y_BMCHW` whose weights the modalities share, or hold one set each.

    Unshared weights lie modality after modality along the first axis of `conv.weight`, as a grouped convolution has
    them; `weights` gives one view a modality, so that each is initialised by itself.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        B, M, C, H, W = x_BMCHW.shape
        groups = self.conv.groups
        y = self.conv(x_BMCHW.reshape(B * M // groups, groups * C, H, W))
        return y.reshape(B, M, y.shape[1] // groups, *y.shape[2:])

    def weights(self) -> tuple[Tensor, ...]:
        """The weight of each modality (a single one where they share it): views, laid out as torch has them."""
        return self.conv.weight.chunk(self.conv.groups, dim=0)
