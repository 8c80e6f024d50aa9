"""Our networks give what the released implementation gives: forward, losses, gradients, counts.

Tolerance rtol 1e-4, atol 1e-5 (float32; sums are taken in another order). Skipped where the outputs are not at hand.
"""

from __future__ import annotations

from typing import Any

import pytest
import reference
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.errors import UserError
from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.norm import ModalityNorm
from cenbench.nn.official import load_official, official_names
from cenbench.nn.parameters import count_parameters
from cenbench.nn.patchgan import build_discriminator
from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.unet import build_generator

pytestmark = pytest.mark.reference
close = {"rtol": 1e-4, "atol": 1e-5}


@pytest.mark.parametrize(
    "case", [f"{k}_P{m}_{mode}" for k in ("bn", "in") for m in (2, 3) for mode in ("train", "eval")]
)
def test_norms(case: str) -> None:
    data = reference.load("norms.pt")[case]
    modalities, prefix = len(data["x"]), "bn" if case.startswith("bn") else "insnorm"
    kind = "batch" if prefix == "bn" else "instance"
    norm = ModalityNorm(kind, modalities, 6, affine_shared=False, statistics_shared=False)
    norm.train(case.endswith("train"))

    def stacked(state: dict[str, Tensor], name: str) -> Tensor:
        return torch.stack([state[f"{prefix}_{m}.{name}"] for m in range(modalities)])

    norm.load_state_dict({name: stacked(data["state_dict"], name) for name in norm.state_dict()})
    x = torch.stack(data["x"], 1).requires_grad_()
    y = norm(x)
    y.backward(torch.stack(data["grad_out"], 1))
    torch.testing.assert_close(y, torch.stack(data["y"], 1), **close)
    torch.testing.assert_close(x.grad, torch.stack(data["grad_x"], 1), **close)
    for name in ("weight", "bias"):
        torch.testing.assert_close(getattr(norm, name).grad, stacked(data["grad_params"], name), **close)
    for name in norm.state_dict():
        torch.testing.assert_close(norm.state_dict()[name], stacked(data["state_dict_after"], name), **close)


def tiny_refinenet(data: dict[str, Any], frozen: bool) -> nn.Module:
    net = build_segmenter(
        modalities=1, classes=7, convs="shared", norms="unshared", fusion="uni-modal", theta=0.0, depth=50, width=4,
        decoder_width=16, dropout=0.0, freeze_norm_statistics=frozen, layers=(1, 2, 1, 1),
    )  # fmt: skip
    load_official(net, data["state_dict"], "segmenter")
    return net


def released_l1(net: nn.Module) -> Tensor:
    """The released choice of halves: they alternate over the list of norms, modality by modality, layer by layer.

    With two modalities that is the first half of one and the second of the other, which is what `Sparsity` does; with
    one or three it is not (paper.md#two-modalities), so the reference values need this.
    """
    norms = [module for module in net.modules() if isinstance(module, ConstrainedNorm)]
    total, index = torch.zeros(()), 0
    for norm in norms:
        for gamma in norm.weight:
            half = norm.channels // 2
            total = total + (gamma[:half] if index % 2 == 0 else gamma[half:]).abs().sum()
            index += 1
    return total


def segmentation_loss(net: nn.Module, outs: Tensor, target: Tensor, lamda: float) -> tuple[Tensor, Tensor]:
    """The released loss, as the README of the outputs states it: a head's NLL + lambda x l1, once a head."""
    l1 = released_l1(net)
    loss = torch.zeros(())
    for s in range(outs.shape[1]):
        up = F.interpolate(outs[:, s], size=target.shape[-2:], mode="bilinear", align_corners=False)
        loss = loss + F.nll_loss(F.log_softmax(up, 1), target, ignore_index=255) + lamda * l1
    return loss, l1


def check_gradients(net: nn.Module, kind: str, norms: dict[str, Any], grads: dict[str, Tensor]) -> None:
    gradients = {name: p.grad for name, p in net.named_parameters()}
    checked = 0
    for ours, theirs in official_names(net, kind).items():
        if ours not in gradients:
            continue
        for row, name in enumerate(theirs):
            gradient = gradients[ours]
            if gradient is not None and len(theirs) > 1:
                gradient = gradient[row]
            if norms[name] is not None:
                norm = torch.tensor(float(norms[name]))
                torch.testing.assert_close(gradient.norm(), norm, **close, msg=lambda m, name=name: f"{name}: {m}")
                checked += 1
            if grads.get(name) is not None:
                torch.testing.assert_close(gradient.reshape(grads[name].shape), grads[name], **close)
    assert checked > 4


@pytest.mark.parametrize("mode", ["train_frozen_bn", "train_batch_bn"])
def test_refinenet_training_step(mode: str) -> None:
    data = reference.load("tiny_refinenet_P1.pt")
    net = tiny_refinenet(data, frozen=mode == "train_frozen_bn").train()
    outs = net(torch.stack(data["x"], 1))
    for s, expected in enumerate(data[mode]["outs"]):
        torch.testing.assert_close(outs[:, s], expected, **close)
    loss, l1 = segmentation_loss(net, outs, data["target"], data["config"]["lamda"])
    assert l1.item() == pytest.approx(data[mode]["l1"], rel=1e-5)
    assert loss.item() == pytest.approx(data[mode]["loss"], rel=1e-5)
    loss.backward()
    check_gradients(net, "segmenter", data[mode]["grad_norm"], data[mode]["grads"])


def test_refinenet_eval() -> None:
    data = reference.load("tiny_refinenet_P1.pt")
    net = tiny_refinenet(data, frozen=False).eval()
    outs = net(torch.stack(data["x"], 1))
    for s, expected in enumerate(data["eval"]["outs"]):
        torch.testing.assert_close(outs[:, s], expected, **close)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_translation_step(mode: str) -> None:
    data = reference.load("unet_gan_P3.pt")
    expected = data[mode]
    generator = build_generator(
        modalities=3, convs="shared", norms="unshared", fusion="none", theta=0.0, levels=8, width=4, dropout=0.0
    )
    discriminator = build_discriminator(width=4, layers=3)
    load_official(generator, data["G"], "generator")
    load_official(discriminator, data["D"], "discriminator")
    for net in (generator, discriminator):
        net.train(mode == "train")
    x_BMCHW = torch.stack(data["x_u8"], 1) / 127.5 - 1
    y_BCHW = data["y_u8"] / 127.5 - 1
    image_BSCHW = generator(x_BMCHW)
    for s, out in enumerate(expected["outs"]):
        torch.testing.assert_close(image_BSCHW[:, s, :, ::2, ::2], out, **close)
    # The discriminator of the reference sees the modalities one after another, and so do its running statistics.
    real = [discriminator(x_BMCHW[:, m], y_BCHW) for m in range(3)]
    fake = [discriminator(x_BMCHW[:, m], image_BSCHW[:, m].detach()) for m in range(3)]
    d_loss = sum(0.5 * (bce(r, 1.0) + bce(f, 0.0)) for r, f in zip(real, fake, strict=True))
    for m in range(3):
        torch.testing.assert_close(real[m].sigmoid(), expected["d_real"][m], **close)
        torch.testing.assert_close(fake[m].sigmoid(), expected["d_fake"][m], **close)
    assert float(d_loss.detach()) == pytest.approx(expected["d_loss"], rel=1e-4)
    d_loss.backward()
    check_gradients(discriminator, "discriminator", expected["D_grad_norm"], {})
    adversarial = sum(bce(discriminator(x_BMCHW[:, m], image_BSCHW[:, m]), 1.0) for m in range(3))
    distance = sum(F.l1_loss(image_BSCHW[:, s], y_BCHW) for s in range(4))
    loss = adversarial + 100 * distance + 1e-3 * released_translation_l1(generator, data["G"])
    assert float(loss.detach()) == pytest.approx(expected["g_loss"], rel=1e-4)
    generator.zero_grad()
    loss.backward()
    unused_names = {n for n in expected["G_grads"] if n.startswith(("conv1.ins", "conv8.ins"))}
    grads = {n: g for n, g in expected["G_grads"].items() if n not in unused_names}
    check_gradients(generator, "generator", expected["G_grad_norm"], grads)


def bce(logits: Tensor, target: float) -> Tensor:
    """Sigmoid, then binary cross-entropy: the released pair."""
    return F.binary_cross_entropy(logits.sigmoid(), torch.full_like(logits, target))


def released_translation_l1(generator: nn.Module, state: dict[str, Tensor]) -> Tensor:
    """As `released_l1`, over all eight encoder convs: the first and last have norms that are listed, never applied."""
    norms = iter([module for module in generator.modules() if isinstance(module, ConstrainedNorm)])
    total, index = torch.zeros(()), 0
    for layer in range(1, 9):
        applied = None if layer in (1, 8) else next(norms).weight
        for m in range(3):
            gamma = state[f"conv{layer}.insnorm_conv.insnorm_{m}.weight"] if applied is None else applied[m]
            half = len(gamma) // 2
            total = total + (gamma[:half] if index % 2 == 0 else gamma[half:]).abs().sum()
            index += 1
    return total


def layout(name: str) -> dict[str, Tensor]:
    return {
        key: torch.empty(tuple(shape), device="meta")
        for key, shape in reference.load("state_dict_layouts.pt")[name].items()
    }


@pytest.mark.parametrize(
    ("depth", "modalities", "count"),
    [(50, 2, 99_157_226), (101, 1, 118_096_233), (101, 2, 118_201_578), (152, 1, 133_739_881), (152, 2, 133_891_306)],
)
def test_segmenter_counts_and_layout(depth: int, modalities: int, count: int) -> None:
    with torch.device("meta"):
        net = build_segmenter(
            modalities=modalities, classes=40, convs="shared", norms="unshared", theta=0.0, depth=depth,
            fusion="none" if modalities > 1 else "uni-modal", width=64, decoder_width=256, dropout=0.5,
        )  # fmt: skip
    assert count_parameters(net) == count
    load_official(net, layout(f"refinenet{depth}_P{modalities}"), "segmenter")


@pytest.mark.parametrize(("modalities", "count"), [(1, 54_420_618), (2, 54_431_633), (3, 54_442_648), (4, 54_453_663)])
def test_generator_counts_and_layout(modalities: int, count: int) -> None:
    with torch.device("meta"):
        net = build_generator(
            modalities=modalities,
            convs="shared",
            norms="unshared",
            fusion="none" if modalities > 1 else "uni-modal",
            theta=0.0,
            levels=8,
            width=64,
            dropout=0.5,
        )
    # The released networks carry norms they never apply: conv1 (64), conv8 (512), deconv8 (3), two scalars a channel.
    assert count_parameters(net) + modalities * 2 * (64 + 512 + 3) == count
    load_official(net, layout(f"generator_P{modalities}"), "generator")


def test_discriminator_count_and_layout() -> None:
    with torch.device("meta"):
        net = build_discriminator(width=64, layers=3)
    assert count_parameters(net) + 2 * (64 + 1) == 2_769_731
    load_official(net, layout("discriminator"), "discriminator")


def test_another_layout_is_refused_by_its_first_differing_key() -> None:
    with torch.device("meta"):
        net = build_segmenter(
            modalities=2, classes=40, convs="shared", norms="unshared", fusion="none", theta=0.0, depth=101, width=64,
            decoder_width=256, dropout=0.5,
        )  # fmt: skip
    state = layout("refinenet101_P2")
    with pytest.raises(UserError, match="layer1"):
        load_official(net, {k: v for k, v in state.items() if "layer1.0.conv2" not in k}, "segmenter")
    with pytest.raises(UserError) as caught:
        load_official(net, layout("refinenet50_P2"), "segmenter")
    assert "layer3.6" in str(caught.value)
