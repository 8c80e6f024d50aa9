"""The straightforward formulation: a Python list of modalities through every layer, as the released code has it.

The baseline of `step.py`, and the reference of `tests/test_nn_list_networks.py`. Module names mirror `cenbench.nn`, so
that `copy_weights` can go layer by layer. A list network holds its own parameters, with one module per modality where
they are unshared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.nn.conv import ModalityConv
from cenbench.nn.norm import ModalityNorm
from cenbench.nn.resnet import BOTTLENECK_FROM, LAYERS

Tensors = list[Tensor]


def each(function: Callable[[Tensor], Tensor], xs: Tensors) -> Tensors:
    return [function(x) for x in xs]


def add(xs: Tensors, ys: Tensors) -> Tensors:
    return [x + y for x, y in zip(xs, ys, strict=True)]


class Parallel(nn.Module):
    """One module for all modalities, or one per modality."""

    def __init__(self, modalities: int, shared: bool, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.shared = shared
        self.each = nn.ModuleList(make() for _ in range(1 if shared else modalities))

    def forward(self, xs: Tensors) -> Tensors:
        return [self.each[0 if self.shared else m](x) for m, x in enumerate(xs)]

    def gammas(self, modalities: int) -> Tensors:
        return [self.each[0 if self.shared else m].weight for m in range(modalities)]


class Layers:
    """Makes the layers of a list network."""

    def __init__(self, modalities: int, convs_shared: bool, norms_shared: bool, kind: str, theta: float | None) -> None:
        self.modalities, self.theta = modalities, theta
        self.convs_shared, self.norms_shared, self.kind = convs_shared, norms_shared, kind

    def conv(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = False
    ) -> Parallel:
        return Parallel(
            self.modalities, self.convs_shared, lambda: nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias)
        )

    def deconv(self, inputs: int, outputs: int) -> Parallel:
        return Parallel(self.modalities, self.convs_shared, lambda: nn.ConvTranspose2d(inputs, outputs, 4, 2, 1))

    def norm(self, channels: int) -> Parallel:
        def make() -> nn.Module:
            if self.kind == "batch":
                return nn.BatchNorm2d(channels)
            return nn.InstanceNorm2d(channels, affine=True, track_running_stats=True)

        return Parallel(self.modalities, self.norms_shared, make)

    def exchange(self, xs: Tensors, norm: Parallel) -> Tensors:
        """Exchange by boolean masks, modality by modality (paper.md#exchange)."""
        if self.theta is None:
            return xs
        outputs = []
        for m, gamma in enumerate(norm.gammas(len(xs))):
            others = [x for other, x in enumerate(xs) if other != m]
            donor = others[0] if len(others) == 1 else torch.stack(others).mean(0)
            kept = gamma.abs() >= self.theta
            y = torch.zeros_like(xs[m])
            y[:, kept] = xs[m][:, kept]
            y[:, ~kept] = donor[:, ~kept]
            outputs.append(y)
        return outputs


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, layers: Layers, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.layers = layers
        self.conv1, self.norm1 = layers.conv(inputs, width, 1), layers.norm(width)
        self.conv2, self.norm2 = layers.conv(width, width, 3, stride, 1), layers.norm(width)
        self.conv3, self.norm3 = layers.conv(width, 4 * width, 1), layers.norm(4 * width)
        self.shortcut = shortcut(layers, inputs, 4 * width, stride)

    def forward(self, xs: Tensors) -> Tensors:
        ys = each(F.relu_, self.norm1(self.conv1(xs)))
        ys = each(F.relu_, self.layers.exchange(self.norm2(self.conv2(ys)), self.norm2))
        return each(F.relu_, add(self.norm3(self.conv3(ys)), self.shortcut(xs)))


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, layers: Layers, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.layers = layers
        self.conv1, self.norm1 = layers.conv(inputs, width, 3, stride, 1), layers.norm(width)
        self.conv2, self.norm2 = layers.conv(width, width, 3, 1, 1), layers.norm(width)
        self.shortcut = shortcut(layers, inputs, width, stride)

    def forward(self, xs: Tensors) -> Tensors:
        ys = each(F.relu_, self.layers.exchange(self.norm1(self.conv1(xs)), self.norm1))
        ys = self.layers.exchange(self.norm2(self.conv2(ys)), self.norm2)
        return each(F.relu_, add(ys, self.shortcut(xs)))


def shortcut(layers: Layers, inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(layers.conv(inputs, outputs, 1, stride), layers.norm(outputs))


class ResNet(nn.Module):
    def __init__(self, layers: Layers, depth: int, width: int, blocks: tuple[int, ...] | None) -> None:
        super().__init__()
        block = Bottleneck if depth >= BOTTLENECK_FROM else BasicBlock
        self.stem, self.stem_norm = layers.conv(3, width, 7, 2, 3), layers.norm(width)
        self.stages = nn.ModuleList()
        inputs = width
        for stage, count in enumerate(blocks or LAYERS[depth]):
            made = []
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                made.append(block(layers, inputs, width * 2**stage, stride))
                inputs = block.expansion * width * 2**stage
            self.stages.append(nn.Sequential(*made))
        self.channels = tuple(block.expansion * width * 2**stage for stage in range(4))

    def forward(self, xs: Tensors) -> list[Tensors]:
        xs = each(F.relu_, self.stem_norm(self.stem(xs)))
        xs = each(lambda x: F.max_pool2d(x, 3, 2, 1), xs)
        outputs = []
        for stage in self.stages:
            xs = stage(xs)
            outputs.append(xs)
        return outputs


class ResidualUnits(nn.Module):
    def __init__(self, layers: Layers, channels: int, count: int) -> None:
        super().__init__()
        self.first = nn.ModuleList(layers.conv(channels, channels, 3, 1, 1, bias=True) for _ in range(count))
        self.second = nn.ModuleList(layers.conv(channels, channels, 3, 1, 1) for _ in range(count))

    def forward(self, xs: Tensors) -> Tensors:
        for first, second in zip(self.first, self.second, strict=True):
            xs = each(F.relu, xs)
            xs = add(second(each(F.relu_, first(xs))), xs)
        return xs


class ChainedPooling(nn.Module):
    def __init__(self, layers: Layers, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(layers.conv(channels, channels, 3, 1, 1) for _ in range(4))

    def forward(self, xs: Tensors) -> Tensors:
        tops = xs
        for conv in self.convs:
            tops = conv(each(lambda top: F.max_pool2d(top, 5, 1, 2), tops))
            xs = add(xs, tops)
        return xs


class RefineStage(nn.Module):
    def __init__(self, layers: Layers, inputs: int, channels: int, outputs: int | None, joined: bool) -> None:
        super().__init__()
        self.reduce = layers.conv(inputs, channels, 3, 1, 1)
        self.adapt = ResidualUnits(layers, channels, 2)
        self.join = layers.conv(channels, channels, 3, 1, 1) if joined else None
        self.pool = ChainedPooling(layers, channels)
        self.refine = ResidualUnits(layers, channels, 3)
        self.out = None if outputs is None else layers.conv(channels, outputs, 3, 1, 1)

    def forward(self, xs: Tensors, below: Tensors | None) -> Tensors:
        xs = self.adapt(self.reduce(xs))
        if self.join is not None and below is not None:
            xs = add(self.join(xs), below)
        xs = self.refine(self.pool(each(F.relu, xs)))
        return xs if self.out is None else self.out(xs)


class RefineNet(nn.Module):
    def __init__(self, layers: Layers, inputs: Sequence[int], width: int, classes: int, dropout: float) -> None:
        super().__init__()
        deepest = RefineStage(layers, inputs[3], 2 * width, width, joined=False)
        middle = [RefineStage(layers, inputs[i], width, width, joined=True) for i in (2, 1)]
        self.stages = nn.ModuleList([deepest, *middle, RefineStage(layers, inputs[0], width, None, joined=True)])
        self.dropout = nn.Dropout(dropout)
        self.classifier = layers.conv(width, classes, 3, 1, 1, bias=True)

    def forward(self, stages: Sequence[Tensors]) -> Tensors:
        first, second, third, fourth = stages
        xs = self.stages[0](each(self.dropout, fourth), None)
        xs = self.stages[1](each(self.dropout, third), upsample(xs, third))
        xs = self.stages[2](second, upsample(xs, second))
        xs = self.stages[3](first, upsample(xs, first))
        return self.classifier(each(self.dropout, xs))


def upsample(xs: Tensors, like: Tensors) -> Tensors:
    return each(lambda x: F.interpolate(x, size=like[0].shape[-2:], mode="bilinear", align_corners=True), xs)


class ListEnsemble(nn.Module):
    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(modalities))

    def forward(self, ys: Tensors) -> Tensors:
        weights = F.softmax(self.alpha, dim=0)
        return [*ys, sum(weight * y.detach() for weight, y in zip(weights, ys, strict=True))]


class ListSegmenter(nn.Module):
    """[x_B3HW, ...] -> [logits_BKhw, ...], the ensemble last."""

    def __init__(
        self,
        layers: Layers,
        *,
        depth: int,
        width: int,
        decoder_width: int,
        classes: int,
        dropout: float,
        blocks: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = ResNet(layers, depth, width, blocks)
        self.decoder = RefineNet(layers, self.encoder.channels, decoder_width, classes, dropout)
        self.ensemble = ListEnsemble(layers.modalities)

    def forward(self, xs: Tensors) -> Tensors:
        return self.ensemble(self.decoder(self.encoder(xs)))


class ListUNet(nn.Module):
    """[x_B3HW, ...] -> [image_B3HW, ...], the ensemble last."""

    def __init__(self, layers: Layers, *, levels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = layers
        channels = [3, *(width * min(2**level, 8) for level in range(levels))]
        self.down = nn.ModuleList(layers.conv(channels[i], channels[i + 1], 4, 2, 1, bias=True) for i in range(levels))
        self.down_norms = nn.ModuleList(layers.norm(channels[i + 1]) for i in range(1, levels - 1))
        inputs = [channels[levels], *(2 * channels[i] for i in range(levels - 1, 0, -1))]
        outputs = channels[levels - 1 :: -1]
        self.up = nn.ModuleList(layers.deconv(a, b) for a, b in zip(inputs, outputs, strict=True))
        self.up_norms = nn.ModuleList(layers.norm(b) for b in outputs[:-1])
        self.dropout = nn.Dropout(dropout)
        self.ensemble = ListEnsemble(layers.modalities)

    def forward(self, xs: Tensors) -> Tensors:
        skips = []
        xs = self.down[0](xs)
        for conv, norm in zip(self.down[1:-1], self.down_norms, strict=True):
            skips.append(each(lambda x: F.leaky_relu_(x, 0.2), xs))
            xs = self.layers.exchange(norm(conv(skips[-1])), norm)
        skips.append(each(lambda x: F.leaky_relu_(x, 0.2), xs))
        xs = self.down[-1](skips[-1])
        for block, (conv, norm) in enumerate(zip(self.up[:-1], self.up_norms, strict=True)):
            xs = norm(conv(each(F.relu, xs)))
            if block < 3:
                xs = each(self.dropout, xs)
            xs = [torch.cat([x, skip], dim=1) for x, skip in zip(xs, skips.pop(), strict=True)]
        return self.ensemble(each(torch.tanh, self.up[-1](each(F.relu, xs))))


def copy_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy parameters and running statistics from a network of `cenbench.nn` to its list network."""
    with torch.no_grad():
        for their, our in pairs(ours, theirs):
            their.copy_(our)


def pairs(ours: nn.Module, theirs: nn.Module, *, gradients: bool = False) -> list[tuple[Tensor, Tensor]]:
    """(theirs, ours) for every parameter, or its gradient with `gradients`; without it, also running statistics."""
    found = [(theirs.ensemble.alpha, ours.ensemble.alpha)]
    found = [(a.grad, b.grad) for a, b in found] if gradients else found
    take = (lambda tensor: tensor.grad) if gradients else (lambda tensor: tensor)
    for name, module in ours.named_modules():
        if not isinstance(module, ModalityConv | ModalityNorm):
            continue
        each_theirs = theirs.get_submodule(name).each
        if isinstance(module, ModalityConv):
            found += _conv_pairs(module, each_theirs, take)
        else:
            for attribute in ("weight", "bias", *(() if gradients else ("running_mean", "running_var"))):
                rows = take(getattr(module, attribute))
                found += [(take(getattr(their, attribute)), rows[m]) for m, their in enumerate(each_theirs)]
    return found


def _conv_pairs(
    ours: ModalityConv, theirs: nn.ModuleList, take: Callable[[Tensor], Tensor]
) -> list[tuple[Tensor, Tensor]]:
    found = list(zip([take(their.weight) for their in theirs], take(ours.conv.weight).chunk(len(theirs)), strict=True))
    if ours.conv.bias is not None:
        biases = take(ours.conv.bias).chunk(len(theirs))
        found += list(zip([take(their.bias) for their in theirs], biases, strict=True))
    return found
