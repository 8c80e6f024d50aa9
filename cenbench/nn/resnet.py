"""ResNet-18/34/50/101/152 over parallel modalities; sparsity and exchange at the 3x3 convolutions only."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.conv import ModalityConv
from cenbench.nn.fusion_points import Fusion, operator_at
from cenbench.nn.rectify import relu_over
from cenbench.nn.sharing import Sharing

LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
BOTTLENECK_FROM = 50
STAGES = range(4)


class Bottleneck(nn.Module):
    """1x1, 3x3 (constrained norm, exchange), 1x1, and the residual (paper.md#resnet)."""

    expansion = 4

    def __init__(self, sharing: Sharing, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = sharing.conv(inputs, width, 1), sharing.norm(width)
        self.conv2 = sharing.conv(width, width, 3, stride=stride, padding=dilation, dilation=dilation)
        self.norm2 = sharing.constrained_norm(width)
        self.conv3, self.norm3 = sharing.conv(width, 4 * width, 1), sharing.norm(4 * width)
        self.shortcut = _shortcut(sharing, inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = relu_over(self.norm1(self.conv1(x)))
        y = relu_over(self.norm2(self.conv2(y)))
        return relu_over(self.norm3(self.conv3(y)) + self.shortcut(x))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, both constrained: the paper constrains every 3x3 one (paper.md#resnet)."""

    expansion = 1

    def __init__(self, sharing: Sharing, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = sharing.conv(inputs, width, 3, stride=stride, padding=dilation, dilation=dilation)
        self.norm1 = sharing.constrained_norm(width)
        self.conv2 = sharing.conv(width, width, 3, padding=dilation, dilation=dilation)
        self.norm2 = sharing.constrained_norm(width)
        self.shortcut = _shortcut(sharing, inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = relu_over(self.norm1(self.conv1(x)))
        return relu_over(self.norm2(self.conv2(y)) + self.shortcut(x))


def _shortcut(sharing: Sharing, inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(sharing.conv(inputs, outputs, 1, stride=stride), sharing.norm(outputs))


class ResNet(nn.Module):
    """`x_BM3HW` -> the fused outputs of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the input's size.

    `width` is the number of channels of the stem (64 in the paper), `layers` the number of blocks per stage. The 7x7
    stem is neither constrained nor exchanged. `dilated`: the last two stages stay at 1/8 and dilate their 3x3
    convolutions by 2 and 4 instead.

    Where the fusion merges, the encoders stay separate up to the last fused stage and continue as one stream (M = 1).
    The decoder then reads the mean over modalities of earlier stages that are not fused.
    """

    def __init__(
        self,
        sharing: Sharing,
        fusion: Fusion,
        depth: int,
        width: int,
        layers: tuple[int, ...] | None = None,
        *,
        dilated: bool = False,
    ) -> None:
        super().__init__()
        fusion.check(sharing.modalities, len(STAGES))
        block = Bottleneck if depth >= BOTTLENECK_FROM else BasicBlock
        widths = [width * 2**stage for stage in STAGES]
        self.channels = tuple(block.expansion * channels for channels in widths)
        self.merges_after = max(fusion.levels) if fusion.merged else None
        """The stage after which there is one stream; None: modalities stay parallel."""
        self.stem = sharing.conv(3, width, 7, stride=2, padding=3)
        self.stem_norm = sharing.norm(width)
        inputs = (width, *self.channels[:-1])
        strides, dilations = ((1, 2, 1, 1), (1, 1, 2, 4)) if dilated else ((1, 2, 2, 2), (1, 1, 1, 1))
        self.stages = nn.ModuleList(
            _stage(
                block,
                self._sharing_of(stage, sharing, fusion),
                inputs[stage],
                widths[stage],
                blocks,
                strides[stage],
                dilations[stage],
            )
            for stage, blocks in enumerate(layers or LAYERS[depth])
        )
        for module in self.modules():
            if isinstance(module, ModalityConv):
                for weight in module.weights():
                    nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
        self.fusions = fusion.operators(sharing.modalities, self.channels)

    def _sharing_of(self, stage: int, sharing: Sharing, fusion: Fusion) -> Sharing:
        if self.merges_after is not None and stage > self.merges_after:
            return sharing.merged()
        return sharing.exchanging(fusion.exchanges_at(stage))

    def forward(self, x_BMCHW: Tensor) -> tuple[list[Tensor], Tensor]:
        """Outputs of the four stages, and the sum of the fusion operators' penalties (zero outside training)."""
        x = relu_over(self.stem_norm(self.stem(x_BMCHW)))
        x = F.max_pool2d(x.flatten(0, 1), 3, stride=2, padding=1).unflatten(0, x.shape[:2])
        outputs, penalties = [], []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            operator = operator_at(self.fusions, number)
            if self.merges_after is not None and number <= self.merges_after:
                merged = x.mean(1, keepdim=True) if operator is None else operator.merge(x)
                outputs.append(merged)
                x = merged if number == self.merges_after else x
                continue
            if operator is not None:
                x = operator(x)
                if operator.penalised and self.training:
                    penalties.append(operator.penalty(x))
            outputs.append(x)
        return outputs, torch.stack(penalties).sum() if penalties else x.new_zeros(())


def _stage(
    block: type[Bottleneck] | type[BasicBlock],
    sharing: Sharing,
    inputs: int,
    width: int,
    blocks: int,
    stride: int,
    dilation: int,
) -> nn.Sequential:
    channels = [inputs, *[block.expansion * width] * blocks]
    strides = [stride, *[1] * (blocks - 1)]
    pairs = zip(pairwise(channels), strides, strict=True)
    return nn.Sequential(*(block(sharing, a, width, s, dilation) for (a, _), s in pairs))
