"""Builds whole networks from plain arguments, and counts their parameters."""

from __future__ import annotations

from typing import Literal

from torch import nn

from cenbench.nn.norm import GammaInit
from cenbench.nn.patchgan import PatchGAN
from cenbench.nn.segmenter import Segmenter
from cenbench.nn.sharing import Norms, Sharing
from cenbench.nn.unet import UNet

Convs = Literal["shared", "unshared"]


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


def build_generator(
    *,
    modalities: int,
    levels: int,
    width: int,
    dropout: float,
    convs: Convs,
    norms: Norms,
    exchange: bool,
    theta: float,
    gamma_init: GammaInit = "ones",
    own_part_only: bool = False,
) -> UNet:
    """U-Net: `x_BM3HW -> image_BS3HW` in [-1, 1], S = modalities + 1 (the ensemble last). Seed torch first.

    H and W must be multiples of 2**levels. The norms that the released code makes and never applies (facts 2c, item 1)
    are not made: 2 x 579 parameters a modality fewer at paper size. ValueError as in `build_segmenter`.
    """
    sharing = Sharing(
        modalities=modalities,
        convs_shared=convs == "shared",
        norms=norms,
        norm_kind="instance",
        exchange_theta=theta if exchange else None,
        own_part_only=own_part_only,
        gamma_init=gamma_init,
    )
    return UNet(sharing, levels=levels, width=width, dropout=dropout)


def build_discriminator(*, width: int, layers: int, gamma_init: GammaInit = "ones") -> PatchGAN:
    """PatchGAN: `(condition_N3HW, image_N3HW) -> logits_N1hw`; one for all modalities, folded into N.

    Without the released code's norms that are never applied: 130 parameters fewer at paper size.
    """
    return PatchGAN(width=width, layers=layers, gamma_init=gamma_init)


def count_parameters(network: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in network.parameters())
