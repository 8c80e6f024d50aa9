"""Training steps of the list-of-modalities networks, as in the released code: the baseline of `step.py`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from list_networks import Layers, ListSegmenter, ListUNet, Parallel
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import SegmentationNet, SegmentationProtocol, TranslationNet, TranslationProtocol
from cenbench.nn.patchgan import build_discriminator


def list_segmenter(cell: Cell, classes: int) -> ListSegmenter:
    assert isinstance(cell.network, SegmentationNet)
    net = cell.network
    return ListSegmenter(
        _layers(cell, "batch"), depth=net.depth, width=net.width, decoder_width=net.decoder_width, classes=classes,
        dropout=net.dropout,
    )  # fmt: skip


def list_generator(cell: Cell) -> ListUNet:
    assert isinstance(cell.network, TranslationNet)
    return ListUNet(
        _layers(cell, "instance"), levels=cell.network.levels, width=cell.network.generator_width,
        dropout=cell.network.dropout,
    )  # fmt: skip


def _layers(cell: Cell, kind: str) -> Layers:
    theta = cell.protocol.theta if cell.fusion == "exchange" else None
    return Layers(len(cell.task.inputs), cell.convs == "shared", cell.norms == "shared", kind, theta)


def segmentation_step(cell: Cell, net: ListSegmenter, x: Tensor, label: Tensor) -> Callable[[], None]:
    assert isinstance(cell.protocol, SegmentationProtocol)
    settings = {"momentum": cell.protocol.momentum, "weight_decay": cell.protocol.weight_decay}
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, **settings)
    norms = _constrained(net)
    criterion = nn.NLLLoss(ignore_index=255)

    def step() -> None:
        loss = cell.protocol.lambda_l1 * _half_penalty(norms)
        for logits in net(list(x.unbind(1))):
            up = F.interpolate(logits, size=label.shape[1:], mode="bilinear", align_corners=False)
            loss = loss + criterion(F.log_softmax(up, dim=1), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def translation_step(cell: Cell, net: ListUNet, x: Tensor, target: Tensor) -> Callable[[], None]:
    """Two passes of the generator per step and one discriminator call per modality, as released."""
    assert isinstance(cell.network, TranslationNet)
    assert isinstance(cell.protocol, TranslationProtocol)
    protocol = cell.protocol
    judge = build_discriminator(width=cell.network.discriminator_width, layers=cell.network.discriminator_layers)
    judge.to(x.device)
    betas = (protocol.beta1, protocol.beta2)
    generator_adam = torch.optim.Adam(net.parameters(), lr=1e-4, betas=betas)
    judge_adam = torch.optim.Adam(judge.parameters(), lr=1e-4, betas=betas)
    norms = _constrained(net)
    modalities = list(x.unbind(1))

    def against(logits: Tensor, real: bool) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    def step() -> None:
        fakes = net(modalities)[:-1]
        loss = sum(
            0.5 * (against(judge(m, target), True) + against(judge(m, fake.detach()), False))
            for m, fake in zip(modalities, fakes, strict=True)
        )
        judge_adam.zero_grad()
        loss.backward()
        judge_adam.step()
        images = net(modalities)
        loss = protocol.lambda_l1 * _half_penalty(norms)
        for m, image in zip(modalities, images, strict=False):
            loss = loss + against(judge(m, image), True)
        for image in images:
            loss = loss + protocol.image_weight * F.l1_loss(image, target)
        generator_adam.zero_grad()
        loss.backward()
        generator_adam.step()

    return step


def _constrained(net: nn.Module) -> list[Parallel]:
    """The norms under the l1 term: after the 3x3 convolutions of a ResNet, in the encoder of a U-Net."""
    if isinstance(net, ListUNet):
        return list(net.down_norms)
    bottleneck = any(hasattr(module, "norm3") for module in net.modules())
    names = ("norm2",) if bottleneck else ("norm1", "norm2")
    blocks = [module for module in net.encoder.modules() if hasattr(module, "norm1")]
    return [getattr(block, name) for block in blocks for name in names]


def _half_penalty(norms: list[Parallel]) -> Tensor:
    total = torch.zeros((), device=norms[0].each[0].weight.device)
    for norm in norms:
        M = len(norm.each)
        for m, each in enumerate(norm.each):
            C = len(each.weight)
            total = total + each.weight[C * m // M : C * (m + 1) // M].abs().sum()
    return total
