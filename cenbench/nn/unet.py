"""The translation generator: a pix2pix U-Net over parallel modalities, exchanging in its encoder (facts 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.ensemble import Ensemble
from cenbench.nn.init import normal_init
from cenbench.nn.norm import GammaInit
from cenbench.nn.sharing import Convs, Norms, Sharing

_DROPOUT_BLOCKS = 3


class UNet(nn.Module):
    """`x_BM3HW -> image_BS3HW` in [-1, 1]; stream S - 1 is the ensemble. H and W are multiples of 2**levels.

    Every encoder convolution but the first and the last is followed by a constrained norm and exchange (the released
    code's six of eight at 256 px; facts 2c, item 1).
    """

    def __init__(self, sharing: Sharing, *, levels: int, width: int, dropout: float) -> None:
        super().__init__()
        channels = [3, *(width * min(2**level, 8) for level in range(levels))]
        self.down = nn.ModuleList(
            sharing.conv(channels[i], channels[i + 1], 4, stride=2, padding=1, bias=True) for i in range(levels)
        )
        self.down_norms = nn.ModuleList(sharing.constrained_norm(channels[i + 1]) for i in range(1, levels - 1))
        # Each up-block but the first also takes the skip of its size.
        up_inputs = [channels[levels], *(2 * channels[i] for i in range(levels - 1, 0, -1))]
        up_outputs = channels[levels - 1 :: -1]
        self.up = nn.ModuleList(
            sharing.deconv(a, b, 4, stride=2, padding=1) for a, b in zip(up_inputs, up_outputs, strict=True)
        )
        self.up_norms = nn.ModuleList(sharing.norm(b) for b in up_outputs[:-1])
        self.dropout = nn.Dropout(dropout)
        self.ensemble = Ensemble(sharing.modalities)
        normal_init(self)

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        return self.ensemble(torch.tanh(self._decode(self._encode(x_BMCHW))))

    def _encode(self, x: Tensor) -> list[Tensor]:
        """Every level's output, rectified as the next level and the decoder read it; the deepest as it is."""
        outputs = [F.leaky_relu(self.down[0](x), 0.2)]
        for conv, norm in zip(self.down[1:-1], self.down_norms, strict=True):
            outputs.append(F.leaky_relu(norm(conv(outputs[-1])), 0.2))
        return [*outputs, self.down[-1](outputs[-1])]

    def _decode(self, skips: list[Tensor]) -> Tensor:
        x = skips.pop()
        for block, (conv, norm) in enumerate(zip(self.up[:-1], self.up_norms, strict=True)):
            x = norm(conv(F.relu(x)))
            if block < _DROPOUT_BLOCKS:
                x = self.dropout(x)
            x = torch.cat([x, skips.pop()], dim=2)
        return self.up[-1](F.relu(x))


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
    are not made: 2 x 579 parameters a modality fewer at paper size. ValueError where the arguments do not go together,
    e.g. exchange with one modality.
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
