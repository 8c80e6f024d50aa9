"""The RefineNet decoder over parallel modalities: the original one with 3x3 convolutions, without norms.

Source: paper.md#refinenet.

Every layer here treats all modalities alike, so they stay folded into four dimensions from the encoder's stages to the
classifier, with channels last in memory: on a CPU, pooling is then five times as fast and convolutions need no
reordering.

Shape suffixes: B batch, M modalities, C channels, K classes, H height, W width. Tensors without suffix are folded.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.rectify import relu_over
from cenbench.nn.sharing import Sharing

_FOLDED_DIMENSIONS = 4


class ResidualUnits(nn.Module):
    """RCU: `count` times [ReLU, 3x3, ReLU, 3x3], each added to its rectified input."""

    def __init__(self, sharing: Sharing, channels: int, count: int) -> None:
        super().__init__()
        self.first = nn.ModuleList(sharing.conv(channels, channels, 3, padding=1, bias=True) for _ in range(count))
        self.second = nn.ModuleList(sharing.conv(channels, channels, 3, padding=1) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.first, self.second, strict=True):
            # The released code runs ReLU in place, so it adds back max(x, 0), not x.
            x = relu_over(x)
            x = second(relu_over(first(x))).add_(x)
        return x


class ChainedPooling(nn.Module):
    """CRP: four times 5x5 max pooling and a 3x3 convolution, each added to the sum."""

    def __init__(self, sharing: Sharing, channels: int, count: int = 4) -> None:
        super().__init__()
        self.convs = nn.ModuleList(sharing.conv(channels, channels, 3, padding=1) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        top = x
        for level, conv in enumerate(self.convs):
            top = conv(F.max_pool2d(top, 5, stride=1, padding=2))
            # The first pooling saves its input for backward; later sums can be updated in place.
            x = x + top if level == 0 else x.add_(top)
        return x


class RefineStage(nn.Module):
    """One stage: adapt the encoder's output, add the output of the deeper stage, pool, refine, reduce."""

    def __init__(self, sharing: Sharing, inputs: int, channels: int, outputs: int | None, *, joined: bool) -> None:
        super().__init__()
        self.reduce = sharing.conv(inputs, channels, 3, padding=1)
        self.adapt = ResidualUnits(sharing, channels, 2)
        self.join = sharing.conv(channels, channels, 3, padding=1) if joined else None
        self.pool = ChainedPooling(sharing, channels)
        self.refine = ResidualUnits(sharing, channels, 3)
        self.out = None if outputs is None else sharing.conv(channels, outputs, 3, padding=1)

    def forward(self, x: Tensor, below: Tensor | None) -> Tensor:
        x = self.adapt(self.reduce(x))
        if self.join is not None and below is not None:
            x = self.join(x).add_(below)
        x = self.refine(self.pool(relu_over(x)))
        return x if self.out is None else self.out(x)


class RefineNet(nn.Module):
    """Four encoder stages -> `logits_BMKHW` at the size of the first stage, a quarter of the image's.

    The deepest stage has twice `width` channels (512 and 256 in the paper).
    """

    def __init__(self, sharing: Sharing, inputs: Sequence[int], width: int, classes: int, dropout: float) -> None:
        super().__init__()
        deepest = RefineStage(sharing, inputs[3], 2 * width, width, joined=False)
        middle = [RefineStage(sharing, inputs[i], width, width, joined=True) for i in (2, 1)]
        last = RefineStage(sharing, inputs[0], width, None, joined=True)
        self.stages = nn.ModuleList([deepest, *middle, last])
        self.dropout = nn.Dropout(dropout)
        self.classifier = sharing.conv(width, classes, 3, padding=1, bias=True)
        # In the layout of the activations; otherwise each call reorders them, a quarter of a step at paper size.
        for weight in self.parameters():
            if weight.dim() == _FOLDED_DIMENSIONS:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, stages_BMCHW: Sequence[Tensor]) -> Tensor:
        modalities = stages_BMCHW[0].shape[1]
        first, second, third, fourth = (
            self.classifier.fold(stage).contiguous(memory_format=torch.channels_last) for stage in stages_BMCHW
        )
        x = self.stages[0](self.dropout(fourth), None)
        x = self.stages[1](self.dropout(third), _upsample(x, third))
        x = self.stages[2](second, _upsample(x, second))
        x = self.stages[3](first, _upsample(x, first))
        return self.classifier.unfold(self.classifier(self.dropout(x)), modalities)


def _upsample(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)
