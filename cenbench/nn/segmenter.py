"""The segmentation network: encoder, decoder and ensemble over parallel modalities."""

from __future__ import annotations

from torch import Tensor, nn

from cenbench.nn.ensemble import Ensemble
from cenbench.nn.refinenet import RefineNet
from cenbench.nn.resnet import ResNet
from cenbench.nn.sharing import Sharing


class Segmenter(nn.Module):
    """`x_BM3HW -> logits_BSKhw` with h, w a quarter of H, W (rounded up); stream S - 1 is the ensemble."""

    def __init__(
        self,
        sharing: Sharing,
        *,
        depth: int,
        width: int,
        decoder_width: int,
        classes: int,
        dropout: float,
        layers: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = ResNet(sharing, depth, width, layers)
        self.decoder = RefineNet(sharing, self.encoder.channels, decoder_width, classes, dropout)
        self.ensemble = Ensemble(sharing.modalities)

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        return self.ensemble(self.decoder(self.encoder(x_BMCHW)))
