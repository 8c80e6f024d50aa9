"""The pyramid scene parsing head against one written with lists of modalities and torch's own functions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cenbench.nn.conv import ModalityConv
from cenbench.nn.norm import ModalityNorm
from cenbench.nn.parameters import count_parameters
from cenbench.nn.pspnet import ConvUnit, PSPNet
from cenbench.nn.sharing import Norms, Sharing

BATCH, INPUTS, WIDTH, CLASSES = 3, (2, 4, 6, 16), 8, 5
NORMS: tuple[Norms, ...] = ("shared", "unshared", "affine-unshared", "stats-unshared")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tensors this small cost ten times as much where threads wait for a core that other processes use."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def head(M: int, shared: bool, norms: Norms = "unshared", dropout: float = 0.0, *, frozen: bool = False) -> PSPNet:
    sharing = Sharing(M, convs_shared=shared, norms=norms, norm_kind="batch", frozen_statistics=frozen)
    return PSPNet(sharing, INPUTS, WIDTH, CLASSES, dropout)


def stages(M: int, height: int = 5, width: int = 7, batch: int = BATCH) -> list[Tensor]:
    return [torch.randn(batch, M, channels, height, width) for channels in INPUTS]


def scatter(net: PSPNet) -> None:
    """Norms that differ from one another, from one modality to the next, and from the identity."""
    for norm in (module for module in net.modules() if isinstance(module, ModalityNorm)):
        norm.weight.data.uniform_(0.5, 1.5)
        norm.bias.data.uniform_(-1, 1)
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 1.5)


def plain_conv(layer: ModalityConv, x: Tensor, m: int, padding: int) -> Tensor:
    """A convolution by the weights of modality m, cut out of the module's."""
    conv = layer.conv
    part = m if conv.groups > 1 else 0
    size = conv.out_channels // conv.groups
    mine = slice(part * size, (part + 1) * size)
    return F.conv2d(x, conv.weight[mine], None if conv.bias is None else conv.bias[mine], padding=padding)


def plain_unit(unit: ConvUnit, x: Tensor, m: int, padding: int) -> Tensor:
    norm = unit.norm
    mean, var = (rows[m if len(rows) > 1 else 0].clone() for rows in (norm.running_mean, norm.running_var))
    weight, bias = (rows[m if len(rows) > 1 else 0] for rows in (norm.weight, norm.bias))
    return F.relu(F.batch_norm(plain_conv(unit.conv, x, m, padding), mean, var, weight, bias, norm.training))


def plain_forward(net: PSPNet, x: Tensor, m: int) -> Tensor:
    parts = [x]
    for grid, branch in zip((1, 2, 3, 6), net.branches, strict=True):
        y = plain_unit(branch.unit, F.adaptive_avg_pool2d(x, (grid, grid)), m, 0)
        parts.append(F.interpolate(y, x.shape[-2:], mode="bilinear", align_corners=True))
    return plain_conv(net.classifier, plain_unit(net.head, torch.cat(parts, 1), m, 1), m, 0)


def plain_auxiliary(net: PSPNet, x: Tensor, m: int) -> Tensor:
    return plain_conv(net.auxiliary_classifier, plain_unit(net.auxiliary_head, x, m, 1), m, 0)


def check_against_lists(net: PSPNet, M: int, height: int, width: int) -> None:
    x = stages(M, height, width)
    # float32 (eps 6e-8): the same sums of up to 9 * 32 products in another order, some 1e-6 apart, which norms over
    # three pooled values (the 1x1 bin) may divide by a small deviation, so ten times that and a little more.
    close = {"rtol": 1e-4, "atol": 1e-5}
    expected = torch.stack([plain_forward(net, x[3][:, m], m) for m in range(M)], dim=1)
    torch.testing.assert_close(net(x), expected, **close)
    auxiliary = torch.stack([plain_auxiliary(net, x[2][:, m], m) for m in range(M)], dim=1)
    torch.testing.assert_close(net.auxiliary(x), auxiliary, **close)
    assert expected.shape == auxiliary.shape == (BATCH, M, CLASSES, height, width)


@pytest.mark.parametrize(
    ("M", "shared", "training", "size"),
    list(itertools.product((1, 2, 3), (True, False), (True, False), ((5, 7), (2, 3)))),
)
def test_is_a_plain_head_a_modality(M: int, shared: bool, training: bool, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    net = head(M, shared).train(training)
    scatter(net)
    check_against_lists(net, M, *size)


@pytest.mark.parametrize(("shared", "norms"), list(itertools.product((True, False), NORMS)))
def test_is_a_plain_head_in_evaluation_whatever_the_norms_share(shared: bool, norms: Norms) -> None:
    torch.manual_seed(1)
    net = head(3, shared, norms).eval()
    scatter(net)
    check_against_lists(net, 3, 5, 7)


@pytest.mark.parametrize(("M", "shared"), [(1, True), (2, True), (2, False)])
def test_parameter_count_at_paper_size_in_closed_form(M: int, shared: bool) -> None:
    sharing = Sharing(M, convs_shared=shared, norms="unshared", norm_kind="batch")
    with torch.device("meta"):
        net = PSPNet(sharing, (256, 512, 1024, 2048), 512, 40, 0.1)
    pyramid = 4 * 2048 * 512
    main = 9 * (2048 + 4 * 512) * 512 + 512 * 40 + 40
    auxiliary = 9 * 1024 * 256 + 256 * 40 + 40
    norms = 2 * (4 * 512 + 512 + 256)
    assert count_parameters(net) == (1 if shared else M) * (pyramid + main + auxiliary) + M * norms


@pytest.mark.parametrize(("M", "shared", "norms"), list(itertools.product((1, 3), (True, False), NORMS)))
def test_gradients_reach_every_parameter_and_modality(M: int, shared: bool, norms: Norms) -> None:
    torch.manual_seed(2)
    net = head(M, shared, norms)
    x = [stage.requires_grad_() for stage in stages(M)]
    logits = net(x), net.auxiliary(x)
    # Random weights: plain sums would give nothing to what a norm centres.
    torch.stack([(output * torch.randn_like(output)).sum() for output in logits]).sum().backward()
    assert all(stage.grad.abs().amax((0, 2, 3, 4)).min() > 0 for stage in x[2:])
    assert x[0].grad is None and x[1].grad is None
    for name, parameter in net.named_parameters():
        copies = parameter.grad.chunk(1 if shared else M) if ".conv." in name else parameter.grad.split(1)
        assert all(copy.abs().max() > 0 for copy in copies), name


@pytest.mark.parametrize("shared", [True, False])
def test_each_modality_starts_from_kaiming_over_its_own_outputs(shared: bool) -> None:
    torch.manual_seed(3)
    net = head(3, shared)
    views = net.head.conv.weights()
    assert len(views) == (1 if shared else 3)
    for weight in views:
        # 2304 draws: their deviation is within 1.5 % of the true one, five times out within 7.5 %.
        assert weight.std().item() == pytest.approx(math.sqrt(2 / (9 * WIDTH)), rel=0.075)


@pytest.mark.parametrize(("M", "norms"), [(1, "shared"), (1, "unshared"), (2, "unshared"), (2, "stats-unshared")])
def test_single_image_is_refused_while_statistics_are_trained(M: int, norms: Norms) -> None:
    net = head(M, True, norms)
    with pytest.raises(ValueError, match=r"1x1 bin needs at least two images a batch while norm statistics are train"):
        net(stages(M, batch=1))
    net.eval()(stages(M, batch=1))
    head(M, True, norms, frozen=True)(stages(M, batch=1))
    net.train()(stages(M, batch=2))


@pytest.mark.parametrize("norms", ["shared", "affine-unshared"])
def test_single_image_trains_where_modalities_pool_their_statistics(norms: Norms) -> None:
    assert head(2, True, norms)(stages(2, batch=1)).isfinite().all()


@pytest.mark.parametrize("shared", [True, False])
def test_seed_repeats_training_and_state_dict_repeats_evaluation(shared: bool) -> None:
    x = stages(2)

    def trained(seed: int) -> tuple[PSPNet, Tensor, Tensor]:
        torch.manual_seed(seed)
        net = head(2, shared, dropout=0.5)
        return net, net(x), net.auxiliary(x)

    net, *first = trained(4)
    _, *again = trained(4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(net(x), first[0]), "dropout draws anew"
    other = trained(5)[0].eval()
    net.eval()
    assert not torch.equal(net(x), other(x))
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(x), net(x)), "evaluation drops nothing"
    assert torch.equal(net(x), other(x))
    assert torch.equal(net.auxiliary(x), other.auxiliary(x))
