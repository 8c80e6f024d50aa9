"""Normalisation whose affine part and statistics the modalities share or not, independently (table 9).

Shape suffixes: B batch, M modalities, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NotRequired, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Kind = Literal["batch", "instance"]
GammaInit = Literal["ones", "uniform", "independent"]
MOMENTUM = 0.1
EPS = 1e-5


class NormFlags(TypedDict):
    """Settings that all norms of a network have in common; see `ModalityNorm`."""

    affine_shared: bool
    statistics_shared: bool
    gamma_init: NotRequired[GammaInit]
    frozen: NotRequired[bool]


class ModalityNorm(nn.Module):
    """Batch or instance normalisation of `x_BMCHW`.

    `weight` (gamma) and `bias` are (M, C), or (1, C) if the affine part is shared; likewise `running_mean` and
    `running_var` if the statistics are shared. Shared batch statistics are pooled over the modalities, as one
    `BatchNorm2d` on the folded batch (B*M, C, H, W) would do. Instance normalisation uses each image's own statistics
    in training, so there the flag concerns the running statistics that `eval()` normalises by.

    `frozen` never updates the running statistics and normalises by them in training too, as the released segmentation
    code does (paper.md#frozen-statistics); gamma and beta are still trained.

    `own_statistics` (instance norms only; see `set_own_statistics`) normalises each image by its own statistics in
    `eval()` too and does not update the running ones: the released translation code never calls `eval()`
    (paper.md#instance-statistics).
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        kind: Kind,
        modalities: int,
        channels: int,
        *,
        affine_shared: bool,
        statistics_shared: bool,
        gamma_init: GammaInit = "ones",
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.kind, self.modalities, self.channels, self.frozen = kind, modalities, channels, frozen
        self.affine_shared, self.statistics_shared = affine_shared, statistics_shared
        self.own_statistics = False
        self.momentum = MOMENTUM
        affine_rows = 1 if affine_shared else modalities
        statistics_rows = 1 if statistics_shared else modalities
        self.weight = nn.Parameter(_initial_gamma(gamma_init, affine_rows, channels))
        self.bias = nn.Parameter(torch.zeros(affine_rows, channels))
        self.register_buffer("running_mean", torch.zeros(statistics_rows, channels))
        self.register_buffer("running_var", torch.ones(statistics_rows, channels))

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        B, M, C, H, W = x_BMCHW.shape
        if self.own_statistics and not self.training:
            weight, bias = self._packed(self.weight), self._packed(self.bias)
            x = F.instance_norm(x_BMCHW.reshape(B, M * C, H, W), weight=weight, bias=bias, eps=EPS)
        elif not self.training or self.frozen:
            x = self._batch_norm(x_BMCHW.reshape(B, M * C, H, W), training=False)
        elif self.kind == "instance":
            x = self._instance_norm(x_BMCHW.reshape(B, M * C, H, W))
        elif not self.statistics_shared:
            x = self._batch_norm(x_BMCHW.reshape(B, M * C, H, W), training=True)
        else:
            return self._pooled_batch_norm(x_BMCHW)
        return x.reshape(B, M, C, H, W)

    def gamma_MC(self) -> Tensor:
        """The scaling factors of every modality, (M, C); shared ones are repeated."""
        return self.weight.expand(self.modalities, self.channels)

    def _packed(self, rows: Tensor) -> Tensor:
        """(M or 1, C) -> (M*C): one value per channel of the modalities side by side."""
        return rows.expand(self.modalities, self.channels).reshape(-1)

    def _batch_norm(self, x: Tensor, *, training: bool) -> Tensor:
        # With M rows `_packed` is a view, so the running statistics are updated in place.
        mean, var = self._packed(self.running_mean), self._packed(self.running_var)
        return F.batch_norm(
            x, mean, var, self._packed(self.weight), self._packed(self.bias), training, self.momentum, EPS
        )

    def _instance_norm(self, x: Tensor) -> Tensor:
        mean, var = self._packed(self.running_mean), self._packed(self.running_var)
        weight, bias = self._packed(self.weight), self._packed(self.bias)
        y = F.instance_norm(x, mean, var, weight, bias, use_input_stats=True, momentum=self.momentum, eps=EPS)
        if self.statistics_shared and self.modalities > 1:
            # `mean` and `var` were copies. The mean over modalities commutes with the moving average.
            self.running_mean.copy_(mean.view(self.modalities, -1).mean(0, keepdim=True))
            self.running_var.copy_(var.view(self.modalities, -1).mean(0, keepdim=True))
        return y

    def _pooled_batch_norm(self, x_BMCHW: Tensor) -> Tensor:
        folded = x_BMCHW.flatten(0, 1)
        mean, var = self.running_mean[0], self.running_var[0]
        if self.affine_shared:
            y = F.batch_norm(folded, mean, var, self.weight[0], self.bias[0], True, self.momentum, EPS)
            return y.view_as(x_BMCHW)
        y = F.batch_norm(folded, mean, var, None, None, True, self.momentum, EPS).view_as(x_BMCHW)
        return torch.addcmul(self.bias[:, :, None, None], y, self.weight[:, :, None, None])


def _initial_gamma(gamma_init: GammaInit, rows: int, channels: int) -> Tensor:
    """(rows, channels). Private copies start equal (paper.md#initial-weights) unless they are `independent`."""
    if gamma_init == "independent":
        return torch.rand(rows, channels)
    row_C = torch.ones(channels) if gamma_init == "ones" else torch.rand(channels)
    return row_C.repeat(rows, 1)


def set_own_statistics(network: nn.Module, on: bool) -> None:
    """Whether the instance norms of `network` normalise by each image's own statistics in `eval()`, as in training."""
    for module in network.modules():
        if isinstance(module, ModalityNorm) and module.kind == "instance":
            module.own_statistics = on


def norms_of(network: nn.Module) -> list[ModalityNorm]:
    """All norms of `network`, in its order."""
    return [module for module in network.modules() if isinstance(module, ModalityNorm)]


@torch.no_grad()
def reestimate_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics by their mean over all images of `batches`, each x_BMCHW counted by its size B.

    What training averages with momentum 0.1, averaged evenly and with the final weights: the network runs as in
    training, each norm by the statistics of its batch or image, but without dropout. Frozen norms keep theirs. The
    network ends in evaluation mode. Source: Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3
    ("precise" statistics).
    """
    norms = [norm for norm in norms_of(network) if not norm.frozen]
    network.eval()
    seen = 0
    for norm in norms:
        norm.train()
    for x_BMCHW in batches:
        seen += len(x_BMCHW)
        for norm in norms:
            norm.momentum = len(x_BMCHW) / seen  # one at first, which forgets what was there
        network(x_BMCHW)
    for norm in norms:
        norm.momentum = MOMENTUM
    network.eval()
