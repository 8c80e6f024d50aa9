"""The segmentation network: encoder, decoder and ensemble over parallel modalities."""

from __future__ import annotations

from torch import Tensor, nn

from cenbench.nn.ensemble import Ensemble
from cenbench.nn.norm import GammaInit
from cenbench.nn.refinenet import RefineNet
from cenbench.nn.resnet import ResNet
from cenbench.nn.sharing import Convs, Norms, Sharing


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


def build_segmenter(
    *,
    modalities: int,
    classes: int,
    depth: int,
    width: int,
    decoder_width: int,
    dropout: float,
    convs: Convs,
    norms: Norms,
    exchange: bool,
    theta: float,
    freeze_norm_statistics: bool = False,
    gamma_init: GammaInit = "ones",
    own_part_only: bool = False,
    layers: tuple[int, ...] | None = None,
) -> Segmenter:
    """ResNet + RefineNet: `x_BM3HW -> logits_BSKhw`, S = modalities + 1 (the ensemble last), h = ceil(H / 4).

    The weights are drawn from torch's global generator: seed it first. `theta` is read only with `exchange`;
    `own_part_only` restricts exchange to each modality's own sub-part of the channels (facts 2c, item 3); `layers`
    gives other block counts a stage than `depth` has. ValueError where the arguments do not go together, e.g. exchange
    with one modality or with shared scaling factors.
    """
    sharing = Sharing(
        modalities=modalities,
        convs_shared=convs == "shared",
        norms=norms,
        norm_kind="batch",
        exchange_theta=theta if exchange else None,
        own_part_only=own_part_only,
        gamma_init=gamma_init,
        frozen_statistics=freeze_norm_statistics,
    )
    return Segmenter(
        sharing,
        depth=depth,
        width=width,
        decoder_width=decoder_width,
        classes=classes,
        dropout=dropout,
        layers=layers,
    )
