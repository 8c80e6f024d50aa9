"""What the modalities of a network share, declared once; makes every layer accordingly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from cenbench.nn.conv import ModalityConv
from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.norm import GammaInit, Kind, ModalityNorm, NormFlags

Convs = Literal["shared", "unshared"]
Norms = Literal["shared", "unshared", "affine-unshared", "stats-unshared"]


@dataclass(frozen=True)
class Sharing:
    """How the layers of a network treat its M modalities (tables 7-9). ValueError for impossible combinations."""

    modalities: int
    convs_shared: bool
    norms: Norms
    norm_kind: Kind
    exchange_theta: float | None = None
    """Exchange threshold (paper.md#equation-6); None: no exchange."""
    own_part_only: bool = False
    """Exchange only within each modality's own part of the channels, as in the paper but not in its code."""
    masked: bool = False
    """Exchange under a fixed mask, which does not read the scaling factors, instead of by a threshold."""
    gamma_init: GammaInit = "ones"
    frozen_statistics: bool = False

    def __post_init__(self) -> None:
        if self.modalities < 1:
            raise ValueError(f"a network needs at least one modality, not {self.modalities}")
        if (self.exchange_theta is not None or self.masked) and self.modalities < 2:
            raise ValueError("exchange needs at least two modalities; this network has one")
        if self.exchange_theta is not None and self.norms in ("shared", "stats-unshared"):
            raise ValueError(f"exchange needs private scaling factors per modality; norms {self.norms!r} share them")

    def exchanging(self, exchanges: bool) -> Sharing:
        """The same, without exchange unless `exchanges`."""
        return self if exchanges else replace(self, exchange_theta=None, masked=False)

    def merged(self) -> Sharing:
        """For the single stream after the modalities were merged."""
        return replace(self, modalities=1, convs_shared=True, exchange_theta=None, masked=False)

    def conv(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = False,
    ) -> ModalityConv:
        groups = 1 if self.convs_shared else self.modalities
        conv = nn.Conv2d(groups * inputs, groups * outputs, kernel, stride, padding, dilation, groups, bias)
        return ModalityConv(conv)

    def deconv(
        self, inputs: int, outputs: int, kernel: int, *, stride: int, padding: int, bias: bool = True
    ) -> ModalityConv:
        groups = 1 if self.convs_shared else self.modalities
        conv = nn.ConvTranspose2d(groups * inputs, groups * outputs, kernel, stride, padding, groups=groups, bias=bias)
        return ModalityConv(conv)

    def norm(self, channels: int) -> ModalityNorm:
        return ModalityNorm(self.norm_kind, self.modalities, channels, **self._norm_flags())

    def constrained_norm(self, channels: int) -> ConstrainedNorm:
        """A norm under the l1 term, followed by exchange where this network exchanges."""
        return ConstrainedNorm(
            self.norm_kind,
            self.modalities,
            channels,
            **self._norm_flags(),
            theta=self.exchange_theta,
            own_part_only=self.own_part_only,
            masked=self.masked,
        )

    def _norm_flags(self) -> NormFlags:
        return NormFlags(
            affine_shared=self.norms in ("shared", "stats-unshared"),
            statistics_shared=self.norms in ("shared", "affine-unshared"),
            gamma_init=self.gamma_init,
            frozen=self.frozen_statistics,
        )
