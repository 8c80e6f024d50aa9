"""Parallel layers against one torch layer per modality: convolutions, norms (table 9's flags), penalty, ensemble."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from cenbench.nn.ensemble import Ensemble
from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.norm import ModalityNorm
from cenbench.nn.parameters import count_parameters
from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.sharing import Sharing
from cenbench.nn.sparsity import Sparsity
from cenbench.nn.unet import build_generator

BATCH, SIZE = 3, 6


def sharing(M: int, shared: bool) -> Sharing:
    return Sharing(M, convs_shared=shared, norms="unshared", norm_kind="batch")


@pytest.mark.parametrize(
    ("M", "shared", "transposed"), list(itertools.product((1, 2, 4), (True, False), (True, False)))
)
def test_convolution_is_one_torch_convolution_a_modality(M: int, shared: bool, transposed: bool) -> None:
    torch.manual_seed(0)
    if transposed:
        layer = sharing(M, shared).deconv(4, 5, 4, stride=2, padding=1).double()
        plain = [nn.ConvTranspose2d(4, 5, 4, 2, 1).double() for _ in range(M)]
    else:
        layer = sharing(M, shared).conv(4, 5, 3, stride=2, padding=1, bias=True).double()
        plain = [nn.Conv2d(4, 5, 3, 2, 1).double() for _ in range(M)]
    weights = layer.weights()
    biases = layer.conv.bias.view(len(weights), -1)
    for m, conv in enumerate(plain):
        mine = 0 if shared else m
        conv.weight.data.copy_(weights[mine])
        conv.bias.data.copy_(biases[mine])
    x = torch.randn(BATCH, M, 4, SIZE, SIZE, dtype=torch.float64)
    expected = torch.stack([conv(x[:, m]) for m, conv in enumerate(plain)], dim=1)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.unfold(layer(layer.fold(x)), M), expected, rtol=0, atol=1e-12)


class Plain:
    """The same norm as lists of torch's own; shared halves are the same tensors, or averages of them."""

    def __init__(self, norm: ModalityNorm, M: int, C: int) -> None:
        self.norm, self.M = norm, M
        kind = nn.BatchNorm2d if norm.kind == "batch" else nn.InstanceNorm2d
        self.layers = [kind(C, affine=True, track_running_stats=True).double() for _ in range(M)]
        for m, layer in enumerate(self.layers):
            row = 0 if norm.affine_shared else m
            layer.weight.data.copy_(norm.weight[row])
            layer.bias.data.copy_(norm.bias[row])

    def train(self, x: Tensor) -> Tensor:
        if self.norm.kind == "batch" and self.norm.statistics_shared:
            return self._pooled(x)
        return torch.stack([layer.train()(x[:, m]) for m, layer in enumerate(self.layers)], dim=1)

    def _pooled(self, x: Tensor) -> Tensor:
        """Mean and variance over the images of all modalities."""
        mean, var = x.mean((0, 1, 3, 4)), x.var((0, 1, 3, 4), correction=0)
        count = x.numel() // x.shape[2]
        for layer in self.layers:
            layer.running_mean.mul_(0.9).add_(0.1 * mean)
            layer.running_var.mul_(0.9).add_(0.1 * var * count / (count - 1))
        y = (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()
        affine = [(layer.weight[:, None, None], layer.bias[:, None, None]) for layer in self.layers]
        return torch.stack([y[:, m] * weight + bias for m, (weight, bias) in enumerate(affine)], dim=1)

    def running(self, name: str) -> Tensor:
        rows = torch.stack([getattr(layer, name) for layer in self.layers])
        return rows.mean(0, keepdim=True) if self.norm.statistics_shared else rows

    def evaluate(self, x: Tensor) -> Tensor:
        mean, var = self.running("running_mean"), self.running("running_var")
        y = (x - mean[:, :, None, None]) / (var[:, :, None, None] + 1e-5).sqrt()
        affine = [(layer.weight[:, None, None], layer.bias[:, None, None]) for layer in self.layers]
        return torch.stack([y[:, m] * weight + bias for m, (weight, bias) in enumerate(affine)], dim=1)


@pytest.mark.parametrize(
    ("kind", "M", "affine_shared", "statistics_shared"),
    list(itertools.product(("batch", "instance"), (1, 2, 3), (True, False), (True, False))),
)
def test_norm_is_torchs_own_in_training_and_evaluation(
    kind: str, M: int, affine_shared: bool, statistics_shared: bool
) -> None:
    torch.manual_seed(1)
    C = 4
    norm = ModalityNorm(kind, M, C, affine_shared=affine_shared, statistics_shared=statistics_shared).double()
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.uniform_(norm.bias, -1, 1)
    plain = Plain(norm, M, C)
    for step in range(3):
        x = (step + 1.0) * torch.randn(BATCH, M, C, SIZE, SIZE, dtype=torch.float64) + step
        torch.testing.assert_close(norm(x), plain.train(x), rtol=0, atol=1e-11)
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(norm, name), plain.running(name), rtol=0, atol=1e-12)
    norm.eval()
    x = torch.randn(BATCH, M, C, SIZE, SIZE, dtype=torch.float64)
    torch.testing.assert_close(norm(x), plain.evaluate(x), rtol=0, atol=1e-12)
    assert norm.weight.shape == (1 if affine_shared else M, C)
    assert norm.running_mean.shape == (1 if statistics_shared else M, C)


def test_frozen_norm_keeps_its_statistics_and_normalises_by_them_in_training() -> None:
    norm = ModalityNorm("batch", 2, 3, affine_shared=False, statistics_shared=False, frozen=True)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(4.0 - 1e-5)
    x = torch.randn(2, 2, 3, 4, 4)
    torch.testing.assert_close(norm.train()(x), (x - 2) / 2)
    assert norm.running_mean.unique().tolist() == [2.0]


def penalised(net: nn.Module, l1: str) -> float:
    """Sum of |gamma| by loops over norms, modalities and channels."""
    total = 0.0
    for norm in (module for module in net.modules() if isinstance(module, ConstrainedNorm)):
        M, C = norm.weight.shape
        for m in range(M):
            part = range(C * m // M, C * (m + 1) // M) if l1 == "half" else range(C)
            total += sum(abs(norm.weight[m, c].item()) for c in part) if l1 != "none" else 0.0
    return total


@pytest.mark.parametrize(("M", "l1"), list(itertools.product((2, 3), ("none", "half", "all"))))
def test_penalty_and_share_under_theta_by_loops(M: int, l1: str) -> None:
    torch.manual_seed(2)
    net = build_generator(
        modalities=M, levels=5, width=6, dropout=0.0, convs="shared", norms="unshared", fusion="none", theta=0.2,
        gamma_init="uniform",
    ).double()  # fmt: skip
    for parameter in net.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    sparsity = Sparsity(net, l1)
    assert sparsity.penalty().item() == pytest.approx(penalised(net, l1), rel=1e-12, abs=1e-12)
    norms = [module for module in net.modules() if isinstance(module, ConstrainedNorm)]
    for m, share in enumerate(sparsity.below_theta(0.2).tolist()):
        gammas = [
            abs(norm.weight[m, c].item())
            for norm in norms
            for c in range(norm.channels)
            if l1 != "half" or norm.channels * m // M <= c < norm.channels * (m + 1) // M
        ]
        assert share == pytest.approx(sum(gamma < 0.2 for gamma in gammas) / len(gammas), abs=1e-6)


def test_penalty_pulls_penalised_factors_only() -> None:
    net = build_segmenter(
        modalities=2, classes=3, depth=18, width=4, decoder_width=4, dropout=0.0, convs="shared", norms="unshared",
        fusion="exchange", theta=0.1,
    )  # fmt: skip
    Sparsity(net, "half").penalty().backward()
    norms = [module for module in net.modules() if isinstance(module, ConstrainedNorm)]
    assert len(norms) == 16, "two 3x3 convolutions in each of eight blocks; neither stem nor shortcuts"
    for norm in norms:
        half = norm.channels // 2
        assert norm.weight.grad[0].tolist() == [1.0] * half + [0.0] * half
        assert norm.weight.grad[1].tolist() == [0.0] * half + [1.0] * half
    others = [p.grad for n, p in net.named_parameters() if not any(p is norm.weight for norm in norms)]
    assert all(grad is None for grad in others)


def test_ensemble_is_a_softmax_weighted_sum_that_trains_its_scores_alone() -> None:
    ensemble = Ensemble(3).double()
    ensemble.alpha.data.copy_(torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64))
    y = torch.randn(2, 3, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    out = ensemble(y)
    exps = [math.exp(a) for a in (0.3, -1.0, 2.0)]
    expected = sum(y[:, m] * exps[m] / sum(exps) for m in range(3))
    torch.testing.assert_close(out[:, 3], expected, rtol=0, atol=1e-12)
    assert torch.equal(out[:, :3], y)
    out[:, 3].sum().backward()
    assert not y.grad.any(), "its loss does not reach the modalities' networks"
    assert ensemble.alpha.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modalities": 1}, "at least two modalities"),
        ({"modalities": 0, "fusion": "none"}, "at least one modality"),
        ({"norms": "shared"}, "private scaling factors per modality"),
        ({"norms": "stats-unshared"}, "private scaling factors per modality"),
    ],
)
def test_impossible_networks_are_refused(change: dict[str, object], words: str) -> None:
    shared = {"convs": "shared", "norms": "unshared"}
    common = {"modalities": 2, **shared, "fusion": "exchange", "theta": 0.1, "dropout": 0.0}
    with pytest.raises(ValueError, match=words):
        build_segmenter(classes=3, depth=18, width=4, decoder_width=4, **{**common, **change})
    with pytest.raises(ValueError, match=words):
        build_generator(levels=4, width=4, **{**common, **change})


@pytest.mark.parametrize("convs", ["shared", "unshared"])
def test_parameter_count_in_closed_form_and_state_dict_round_trip(convs: str) -> None:
    M, levels, width = 3, 5, 4

    def build() -> nn.Module:
        return build_generator(
            modalities=M, levels=levels, width=width, dropout=0.0, convs=convs, norms="unshared", fusion="exchange",
            theta=0.1,
        )  # fmt: skip

    net = build()
    c = [3, *(width * min(2**level, 8) for level in range(levels))]
    copies = 1 if convs == "shared" else M
    down = sum(16 * c[i] * c[i + 1] + c[i + 1] for i in range(levels))
    up_in = [c[levels], *(2 * c[i] for i in range(levels - 1, 0, -1))]
    up_out = c[levels - 1 :: -1]
    up = sum(16 * a * b + b for a, b in zip(up_in, up_out, strict=True))
    norms = 2 * M * (sum(c[2:levels]) + sum(up_out[:-1]))
    assert count_parameters(net) == copies * (down + up) + norms + M
    other = build()
    other.load_state_dict(net.state_dict())
    x = torch.randn(1, M, 3, 32, 32)
    assert torch.equal(net.eval()(x), other.eval()(x))


def test_norms_at_the_ends_normalise_and_exchange_there_too() -> None:
    """With every factor below theta, exchange swaps the two modalities: an oracle for the norm of the first level."""
    common = {"modalities": 2, "levels": 4, "width": 4, "dropout": 0.0, "convs": "shared", "norms": "unshared"}
    nets = [build_generator(**common, fusion="exchange", theta=2.0, norm_ends=ends) for ends in (False, True)]
    assert [[norm.channels for norm in net.down_norms] for net in nets] == [[8, 16], [4, 8, 16, 32]]
    build_generator(**common, fusion="exchange", theta=2.0, stage="early", norm_ends=True)
    inner, every = nets
    for name, tensor in inner.state_dict().items():
        ours = name
        if name.startswith("down_norms."):
            _, number, rest = name.split(".", 2)
            ours = f"down_norms.{int(number) + 1}.{rest}"
        every.state_dict()[ours].copy_(tensor)
    x = torch.randn(1, 2, 3, 32, 32)
    first = every.down_norms[0](every.down[0](x))
    mean_and_var = torch.var_mean(every.down[0](x), (3, 4), unbiased=False, keepdim=True)
    own = (every.down[0](x) - mean_and_var[1]) / (mean_and_var[0] + 1e-5).sqrt()
    torch.testing.assert_close(first, own.flip(1), rtol=1e-4, atol=1e-5)  # float32 sums in another order
    assert not torch.equal(inner(x), every(x))


@pytest.mark.parametrize(("levels", "sides_px"), [(4, [8]), (6, [2, 4]), (8, [2, 4, 8])])
def test_dropout_follows_the_first_three_eighths_of_the_up_blocks(levels: int, sides_px: list[int]) -> None:
    """Three of eight as in pix2pix."""
    net = build_generator(
        modalities=1, fusion="uni-modal", levels=levels, width=2, dropout=0.5, convs="shared", norms="unshared",
        theta=0.1,
    )  # fmt: skip
    dropped: list[int] = []
    net.dropout.register_forward_hook(lambda module, inputs, output: dropped.append(output.shape[-1]))
    side_px = 256 if levels == 8 else 64
    net(torch.randn(1, 1, 3, side_px, side_px))
    assert dropped == sides_px


def test_private_scaling_factors_start_equal_unless_they_are_independent() -> None:
    def gammas(gamma_init: str, shared: bool) -> Tensor:
        torch.manual_seed(1)
        norm = ModalityNorm(
            "batch", 2, 50, affine_shared=shared, statistics_shared=False, gamma_init=gamma_init  # type: ignore[arg-type]
        )  # fmt: skip
        return norm.gamma_MC().detach()

    equal, independent, shared = gammas("uniform", False), gammas("independent", False), gammas("independent", True)
    assert torch.equal(equal[0], equal[1])
    assert torch.equal(shared[0], shared[1])
    assert not torch.equal(independent[0], independent[1])
    for drawn in (equal, independent):
        assert 0 <= drawn.min() < 0.2 < 0.8 < drawn.max() <= 1
