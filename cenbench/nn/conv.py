"""Convolutions of parallel modalities: shared weights act on the folded batch, unshared ones in one grouped call."""

from __future__ import annotations

from torch import Tensor, nn

_FOLDED_DIMENSIONS = 4


class ModalityConv(nn.Module):
    """A (transposed) convolution `x_BMCHW -> y_BMCHW`, its weights shared by the modalities or private to each.

    An input that is already folded (four dimensions, see `fold`) gives a folded output.

    Private weights follow one another along the first axis of `conv.weight`, as in any grouped convolution. `weights`
    returns one view per modality, so that each is initialised on its own.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        folded: Tensor = self.conv(x if x.dim() == _FOLDED_DIMENSIONS else self.fold(x))
        return folded if x.dim() == _FOLDED_DIMENSIONS else self.unfold(folded, x.shape[1])

    def fold(self, x_BMCHW: Tensor) -> Tensor:
        """The four-dimensional input of `conv`: (B*M, C, H, W) where weights are shared, else (B, M*C, H, W)."""
        B, M, C, H, W = x_BMCHW.shape
        groups = self.conv.groups
        return x_BMCHW.reshape(B * M // groups, groups * C, H, W)

    def unfold(self, y: Tensor, modalities: int) -> Tensor:
        """The inverse of `fold`: `y_BMCHW`."""
        groups = self.conv.groups
        return y.reshape(y.shape[0] * groups // modalities, modalities, y.shape[1] // groups, *y.shape[2:])

    def weights(self) -> tuple[Tensor, ...]:
        """The weight of each modality (one where they share it), as views in torch's layout."""
        return self.conv.weight.chunk(self.conv.groups, dim=0)
