"""Convolutions of parallel modalities: shared weights see the folded batch, unshared ones are one grouped call."""

from __future__ import annotations

from torch import Tensor, nn

_FOLDED_DIMENSIONS = 4


class ModalityConv(nn.Module):
    """A (transposed) convolution `x_BMCHW -> y_BMCHW` whose weights the modalities share, or hold one set each.

    What is folded already (four dimensions, see `fold`) stays folded.

    Unshared weights lie modality after modality along the first axis of `conv.weight`, as a grouped convolution has
    them; `weights` gives one view a modality, so that each is initialised by itself.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        folded: Tensor = self.conv(x if x.dim() == _FOLDED_DIMENSIONS else self.fold(x))
        return folded if x.dim() == _FOLDED_DIMENSIONS else self.unfold(folded, x.shape[1])

    def fold(self, x_BMCHW: Tensor) -> Tensor:
        """The four-dimensional tensor `conv` sees: (B*M, C, H, W) where weights are shared, (B, M*C, H, W) else."""
        B, M, C, H, W = x_BMCHW.shape
        groups = self.conv.groups
        return x_BMCHW.reshape(B * M // groups, groups * C, H, W)

    def unfold(self, y: Tensor, modalities: int) -> Tensor:
        """The modalities of a folded tensor again: `y_BMCHW`."""
        groups = self.conv.groups
        return y.reshape(y.shape[0] * groups // modalities, modalities, y.shape[1] // groups, *y.shape[2:])

    def weights(self) -> tuple[Tensor, ...]:
        """The weight of each modality (a single one where they share it): views, laid out as torch has them."""
        return self.conv.weight.chunk(self.conv.groups, dim=0)
