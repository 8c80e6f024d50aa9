"""The translation generator: a pix2pix U-Net over parallel modalities, exchanging in its encoder (paper.md#u-net).

Shape suffixes: B batch, M modalities, S = M + 1 output streams (the ensemble last), C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cenbench.nn.ensemble import Ensemble
from cenbench.nn.fusion_points import Fusion, levels_of, operator_at
from cenbench.nn.init import normal_init
from cenbench.nn.network import Network, Outputs
from cenbench.nn.norm import GammaInit
from cenbench.nn.rectify import leaky_relu_over, relu_over
from cenbench.nn.sharing import Convs, Norms, Sharing

_DROPOUT_EIGHTHS = 3
"""Dropout follows the first three of eight up-blocks, as in pix2pix, and as large a part of fewer: one of four."""


class UNet(Network):
    """`x_BM3HW -> image_BS3HW` in [-1, 1]; stream S - 1 is the ensemble. H and W are multiples of 2**levels.

    Every encoder convolution except the first and the last is followed by a constrained norm and exchange (six of eight
    at 256 px, as in the released code; paper.md#unused-norms), or all of them with `norm_ends`. Other fusion operators
    act at the same place: after an encoder convolution and its norm, before the activation.
    """

    def __init__(
        self, sharing: Sharing, fusion: Fusion, *, levels: int, width: int, dropout: float, norm_ends: bool = False
    ) -> None:
        super().__init__()
        fusion.check(sharing.modalities, levels)
        channels = [3, *(width * min(2**level, 8) for level in range(levels))]
        self.down = nn.ModuleList(
            sharing.conv(channels[i], channels[i + 1], 4, stride=2, padding=1, bias=True) for i in range(levels)
        )
        self._normed = normed_levels(levels, norm_ends=norm_ends)
        self.down_norms = nn.ModuleList(
            sharing.exchanging(fusion.exchanges_at(i)).constrained_norm(channels[i + 1]) for i in self._normed
        )
        # Each up-block except the first also reads the skip connection of its size.
        up_inputs = [channels[levels], *(2 * channels[i] for i in range(levels - 1, 0, -1))]
        up_outputs = channels[levels - 1 :: -1]
        self.up = nn.ModuleList(
            sharing.deconv(a, b, 4, stride=2, padding=1) for a, b in zip(up_inputs, up_outputs, strict=True)
        )
        self.up_norms = nn.ModuleList(sharing.norm(b) for b in up_outputs[:-1])
        self.dropout = nn.Dropout(dropout)
        self.ensemble = Ensemble(sharing.modalities)
        self.fusions = fusion.operators(sharing.modalities, channels[1:])
        self.penalised = any(operator.penalised for operator in self.fusions.values())
        normal_init(self)

    @property
    def first_constrained_conv(self) -> int:
        return self._normed.start + 1

    def outputs(self, x_BMCHW: Tensor) -> Outputs:
        skips, penalties = self._encode(x_BMCHW)
        penalty = torch.stack(penalties).sum() if penalties else x_BMCHW.new_zeros(())
        return Outputs(self.ensemble(torch.tanh(self._decode(skips))), penalty)

    def _encode(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Every level's output after its activation (the deepest has none), and the fusion operators' penalties."""
        outputs: list[Tensor] = []
        penalties: list[Tensor] = []
        deepest = len(self.down) - 1
        for level, conv in enumerate(self.down):
            x = conv(x)
            if level in self._normed:
                x = self.down_norms[level - self._normed.start](x)
            operator = operator_at(self.fusions, level)
            if operator is not None:
                x = operator(x)
                if operator.penalised and self.training:
                    penalties.append(operator.penalty(x))
            if level < deepest:
                x = leaky_relu_over(x, 0.2)
            outputs.append(x)
        return outputs, penalties

    def _decode(self, skips: list[Tensor]) -> Tensor:
        x = skips.pop()
        for block, (conv, norm) in enumerate(zip(self.up[:-1], self.up_norms, strict=True)):
            x = norm(conv(relu_over(x)))
            if block < len(self.down) * _DROPOUT_EIGHTHS // 8:
                x = self.dropout(x)
            x = torch.cat([x, skips.pop()], dim=2)
        image_BMCHW: Tensor = self.up[-1](relu_over(x))
        return image_BMCHW


def normed_levels(levels: int, *, norm_ends: bool) -> range:
    """The encoder convolutions that a norm follows: all, or all but the first and the last."""
    return range(levels) if norm_ends else range(1, levels - 1)


def build_generator(
    *,
    modalities: int,
    levels: int,
    width: int,
    dropout: float,
    convs: Convs,
    norms: Norms,
    theta: float,
    fusion: str = "none",
    fusion_parameters: Mapping[str, float] | None = None,
    stage: str = "all",
    gamma_init: GammaInit = "ones",
    own_part_only: bool = False,
    norm_ends: bool = False,
) -> UNet:
    """U-Net: `x_BM3HW -> image_BS3HW` in [-1, 1], S = modalities + 1 (the ensemble last). Seed torch first.

    H and W must be multiples of 2**levels. The norms that the released code makes and never applies
    (paper.md#unused-norms) are not made: 2 x 579 parameters a modality fewer at paper size. `fusion` is a method of
    `cenbench.nn.fusion`, after the encoder convolutions `stage` stands for (early, middle, late, all). ValueError where
    the arguments do not go together, e.g. exchange with one modality, or at the first or last convolution, which has a
    norm only with `norm_ends`.
    """
    plan = Fusion(fusion, levels_of(stage, levels), parameters=fusion_parameters or {})
    if plan.declared("ACTS") == "norms" and not plan.levels & set(normed_levels(levels, norm_ends=norm_ends)):
        raise ValueError(f"the U-Net's first and last convolution have no norm to exchange behind; stage: {stage}")
    sharing = Sharing(
        modalities=modalities,
        convs_shared=convs == "shared",
        norms=norms,
        norm_kind="instance",
        exchange_theta=theta if plan.reads_factors else None,
        masked=plan.masks,
        own_part_only=own_part_only,
        gamma_init=gamma_init,
    )
    network = UNet(sharing, plan, levels=levels, width=width, dropout=dropout, norm_ends=norm_ends)
    plan.draw_masks(network)
    return network
