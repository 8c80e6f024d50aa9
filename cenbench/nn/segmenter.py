"""The segmentation network: encoder, fusion, decoder and ensemble over parallel modalities.

Shape suffixes: B batch, M modalities, S = M + 1 output streams (the ensemble last), C channels, K classes, H height,
W width; lowercase h, w: of a smaller map.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from torch import Tensor

from cenbench.nn.ensemble import Ensemble
from cenbench.nn.fusion_points import Fusion, resnet_levels_of
from cenbench.nn.network import Network, Outputs
from cenbench.nn.norm import GammaInit
from cenbench.nn.resnet import ResNet
from cenbench.nn.sharing import Convs, Norms, Sharing

Head = Literal["refinenet", "pspnet"]
_HEADS = {"refinenet": "RefineNet", "pspnet": "PSPNet"}


class Segmenter(Network):
    """`x_BM3HW -> logits_BSKhw` with h, w a quarter of H, W (RefineNet) or an eighth (PSPNet), rounded up.

    Stream S - 1 is the ensemble; S = 2 where the fusion merges the modalities into one stream.
    """

    def __init__(
        self,
        sharing: Sharing,
        fusion: Fusion,
        *,
        head: Head,
        depth: int,
        width: int,
        decoder_width: int,
        classes: int,
        dropout: float,
        layers: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = ResNet(sharing, fusion, depth, width, layers, dilated=head == "pspnet")
        # Freezing keeps pretrained statistics, which only the encoder has.
        after = replace(sharing.merged() if fusion.merged else sharing, frozen_statistics=False)
        # By name, so that the code of one head is not part of the other's training code (`cenbench.train.task`).
        decoder = getattr(importlib.import_module(f"cenbench.nn.{head}"), _HEADS[head])
        self.decoder = decoder(after, self.encoder.channels, decoder_width, classes, dropout)
        self.ensemble = Ensemble(after.modalities)
        self.penalised = any(operator.penalised for operator in self.encoder.fusions.values())
        self.has_auxiliary = hasattr(self.decoder, "auxiliary")
        """Whether training has auxiliary predictions."""

    def outputs(self, x_BMCHW: Tensor) -> Outputs:
        stages_BMCHW, penalty = self.encoder(x_BMCHW)
        auxiliary = self.decoder.auxiliary(stages_BMCHW) if self.has_auxiliary and self.training else None
        return Outputs(self.ensemble(self.decoder(stages_BMCHW)), penalty, auxiliary)


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
    theta: float,
    fusion: str = "none",
    fusion_parameters: Mapping[str, float] | None = None,
    stage: str = "all",
    merged: bool = False,
    head: Head = "refinenet",
    freeze_norm_statistics: bool = False,
    gamma_init: GammaInit = "ones",
    own_part_only: bool = False,
    layers: tuple[int, ...] | None = None,
) -> Segmenter:
    """ResNet + RefineNet or PSPNet: `x_BM3HW -> logits_BSKhw`, S = modalities + 1 (the ensemble last).

    Seed torch first: the weights are drawn from its global generator. `fusion` is a method of `cenbench.nn.fusion`
    (`exchange` is the paper's) with its `fusion_parameters`, applied after the encoder stages that `stage` names
    (early, middle, late, all). `merged` merges the modalities into one stream after the last of them; then S = 2.
    `theta` is read by exchange only. `own_part_only` restricts exchange to each modality's own part of the channels
    (paper.md#own-part). `layers` overrides the number of blocks per stage that `depth` implies.

    ValueError where the arguments contradict each other, e.g. exchange with one modality or with shared scaling
    factors.
    """
    plan = Fusion(fusion, resnet_levels_of(stage), merged, fusion_parameters or {})
    sharing = Sharing(
        modalities=modalities,
        convs_shared=convs == "shared",
        norms=norms,
        norm_kind="batch",
        exchange_theta=theta if plan.reads_factors else None,
        masked=plan.masks,
        own_part_only=own_part_only,
        gamma_init=gamma_init,
        frozen_statistics=freeze_norm_statistics,
    )
    network = Segmenter(
        sharing,
        plan,
        head=head,
        depth=depth,
        width=width,
        decoder_width=decoder_width,
        classes=classes,
        dropout=dropout,
        layers=layers,
    )
    plan.draw_masks(network)
    return network
