"""ResNet-18/34/50/101/152 over parallel modalities. Sparsity and exchange sit at the 3x3 convolutions only."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.conv import ModalityConv
from cenbench.nn.sharing import Sharing

LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
BOTTLENECK_FROM = 50


class Bottleneck(nn.Module):
    """1x1, 3x3 (constrained norm, exchange), 1x1, and the residual (facts 3)."""

    expansion = 4

    def __init__(self, sharing: Sharing, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = sharing.conv(inputs, width, 1), sharing.norm(width)
        self.conv2 = sharing.conv(width, width, 3, stride=stride, padding=1)
        self.norm2 = sharing.constrained_norm(width)
        self.conv3, self.norm3 = sharing.conv(width, 4 * width, 1), sharing.norm(4 * width)
        self.shortcut = _shortcut(sharing, inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.norm3(self.conv3(y)) + self.shortcut(x))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, both constrained: the supplement (section 2) names every 3x3 one."""

    expansion = 1

    def __init__(self, sharing: Sharing, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = sharing.conv(inputs, width, 3, stride=stride, padding=1)
        self.norm1 = sharing.constrained_norm(width)
        self.conv2, self.norm2 = sharing.conv(width, width, 3, padding=1), sharing.constrained_norm(width)
        self.shortcut = _shortcut(sharing, inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def _shortcut(sharing: Sharing, inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(sharing.conv(inputs, outputs, 1, stride=stride), sharing.norm(outputs))


class ResNet(nn.Module):
    """`x_BM3HW` -> the outputs of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the input's size.

    `width` is the stem's channels (64 in the paper); `layers` the blocks a stage. The 7x7 stem is neither constrained
    nor exchanged.
    """

    def __init__(self, sharing: Sharing, depth: int, width: int, layers: tuple[int, ...] | None = None) -> None:
        super().__init__()
        block = Bottleneck if depth >= BOTTLENECK_FROM else BasicBlock
        widths = [width * 2**stage for stage in range(4)]
        self.channels = tuple(block.expansion * each for each in widths)
        self.stem = sharing.conv(3, width, 7, stride=2, padding=3)
        self.stem_norm = sharing.norm(width)
        inputs = (width, *self.channels[:-1])
        self.stages = nn.ModuleList(
            _stage(block, sharing, inputs[stage], widths[stage], blocks, stride=1 if stage == 0 else 2)
            for stage, blocks in enumerate(layers or LAYERS[depth])
        )
        for module in self.modules():
            if isinstance(module, ModalityConv):
                for weight in module.weights():
                    nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x_BMCHW: Tensor) -> list[Tensor]:
        x = F.relu(self.stem_norm(self.stem(x_BMCHW)))
        x = F.max_pool2d(x.flatten(0, 1), 3, stride=2, padding=1).unflatten(0, x.shape[:2])
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


def _stage(
    block: type[Bottleneck] | type[BasicBlock], sharing: Sharing, inputs: int, width: int, blocks: int, stride: int
) -> nn.Sequential:
    channels = [inputs, *[block.expansion * width] * blocks]
    strides = [stride, *[1] * (blocks - 1)]
    return nn.Sequential(*(block(sharing, a, width, s) for (a, _), s in zip(pairwise(channels), strides, strict=True)))
