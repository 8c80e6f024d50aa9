"""One conformance suite for every fusion method: a file in `cenbench/nn/fusion` is all it takes to be in it."""

from __future__ import annotations

import importlib
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cenbench.matrix.methods import methods
from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.fusion_points import Fusion, levels_of, resnet_levels_of
from cenbench.nn.parameters import count_flops, count_fusion_parameters, count_parameters
from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.unet import build_generator

POINTS = [name for name, method in methods().items() if method.acts == "points"]
MERGING = [name for name, method in methods().items() if method.merges]
STAGES = ("early", "middle", "late", "all")


def segmenter(method: str, modalities: int, stage: str = "all", **options: Any) -> nn.Module:
    torch.manual_seed(0)
    settings = {
        "convs": "shared",
        "norms": "unshared",
        "theta": 0.3,
        "gamma_init": "uniform",
        "dropout": 0.0,
        **options,
    }
    net = build_segmenter(
        modalities=modalities, classes=3, depth=18, width=4, decoder_width=4, layers=(1, 1, 1, 1), fusion=method,
        stage=stage, **settings,
    )  # fmt: skip
    return net.train()


def generator(method: str, modalities: int, stage: str = "all", **options: Any) -> nn.Module:
    torch.manual_seed(0)
    settings = {
        "convs": "shared",
        "norms": "unshared",
        "theta": 0.3,
        "gamma_init": "uniform",
        "dropout": 0.0,
        **options,
    }
    net = build_generator(modalities=modalities, levels=4, width=4, fusion=method, stage=stage, **settings)
    return net.train()


BUILD = {"segmenter": segmenter, "generator": generator}


def modalities_for(method: str) -> list[int]:
    return [count for count in (1, 2, 3, 4) if methods()[method].accepts(count)]


def drawn(modalities: int) -> Tensor:
    return torch.randn(2, modalities, 3, 32, 32, generator=torch.Generator().manual_seed(1))


CASES = [
    (kind, method, stage, count)
    for kind, method in itertools.product(BUILD, methods())
    for stage in (STAGES if methods()[method].acts == "points" else ("all",))
    for count in modalities_for(method)
    if stage == "all" or count == 2  # every number of modalities, and every stage, but not each with each
]


@pytest.mark.parametrize(("kind", "method", "stage", "modalities"), CASES)
def test_network_with_method(kind: str, method: str, stage: str, modalities: int) -> None:
    """Shapes, determinism, gradients to every modality from every output, saving and loading, train and eval."""
    net = BUILD[kind](method, modalities, stage)
    x = drawn(modalities).requires_grad_()
    outputs = net.outputs(x)
    y = outputs.y_BSCHW
    assert y.shape[:3] == (2, modalities + 1, 3)
    assert outputs.penalty.shape == ()
    assert torch.equal(y, BUILD[kind](method, modalities, stage).outputs(drawn(modalities)).y_BSCHW), "same seed"
    reached = torch.autograd.grad(y[:, :modalities].square().sum() + outputs.penalty, x, retain_graph=True)[0]
    assert all(reached[:, m].abs().sum() > 0 for m in range(modalities)), "an input that gets no gradient"
    (y.square().sum() + outputs.penalty).backward()
    unused = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not unused
    net.eval()
    assert net.outputs(x).penalty.item() == 0, "a penalty is for training"
    other = BUILD[kind](method, modalities, stage)
    for parameter in other.parameters():
        parameter.data.add_(1.0)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.eval()(x), net(x))


@pytest.mark.parametrize(("method", "stage", "modalities"), list(itertools.product(POINTS, STAGES, (2, 3))))
def test_parameters_of_the_fusion_in_closed_form(method: str, stage: str, modalities: int) -> None:
    operator = Fusion(method, frozenset({0})).declared("Operator")
    for kind, channels, levels in (
        ("segmenter", (4, 8, 16, 32), resnet_levels_of(stage)),
        ("generator", (4, 8, 16, 32), levels_of(stage, 4)),
    ):
        expected = sum(operator.parameter_count(modalities, channels[level]) for level in levels)
        net, plain = BUILD[kind](method, modalities, stage), BUILD[kind]("none", modalities)
        assert count_fusion_parameters(net) == expected
        assert count_parameters(net) == count_parameters(plain) + expected


@pytest.mark.parametrize("method", POINTS)
def test_fusion_couples_the_modalities(method: str) -> None:
    """What one modality shows changes another's output, or (alignment) the loss both share."""
    net = segmenter(method, 2, "middle")
    x = drawn(2)
    changed = x.clone()
    changed[:, 1] += 1.0
    before, after = net.outputs(x), net.outputs(changed)
    assert not torch.equal(before.y_BSCHW[:, 0], after.y_BSCHW[:, 0]) or not torch.equal(before.penalty, after.penalty)


@pytest.mark.parametrize("method", POINTS)
def test_operator_treats_modalities_alike(method: str) -> None:
    """Swapping two modalities swaps what comes out: none is the first."""
    torch.manual_seed(0)
    operator = Fusion(method, frozenset({0})).operators(2, (8,))["0"]
    x = torch.randn(2, 2, 8, 6, 5)
    torch.testing.assert_close(operator(x.flip(1)), operator(x).flip(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("method", "stage", "modalities"), list(itertools.product(MERGING, STAGES, (2, 3))))
def test_merged_streams(method: str, stage: str, modalities: int) -> None:
    net = segmenter(method, modalities, stage, convs="unshared", merged=True)
    x = drawn(modalities).requires_grad_()
    y = net(x)
    assert y.shape[:3] == (2, 2, 3), "one prediction, and its ensemble"
    assert torch.equal(y[:, 0], y[:, 1])
    y[:, 0].square().sum().backward()
    assert all(x.grad[:, m].abs().sum() > 0 for m in range(modalities))
    levels = resnet_levels_of(stage)
    for number, block in enumerate(net.encoder.stages):
        norms = [module for module in block.modules() if isinstance(module, ConstrainedNorm)]
        assert {norm.modalities for norm in norms} == {modalities if number <= max(levels) else 1}
    other = segmenter(method, modalities, stage, convs="unshared", merged=True)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.eval()(x), net.eval()(x))


PARAMETERS = [
    (method, name, parameter["default"])
    for method in POINTS
    for name, parameter in getattr(Fusion(method, frozenset()).module, "PARAMETERS", {}).items()
]


@pytest.mark.parametrize(
    ("kind", "method", "name", "default"), [(kind, *case) for kind in BUILD for case in PARAMETERS]
)
def test_a_declared_parameter_reaches_the_network(kind: str, method: str, name: str, default: float) -> None:
    """Its default is the network without the parameter; another value gives other outputs or another penalty."""
    plain = BUILD[kind](method, 2).outputs(drawn(2))
    for value in (default, default + 1):
        found = BUILD[kind](method, 2, fusion_parameters={name: value}).outputs(drawn(2))
        same = torch.equal(found.y_BSCHW, plain.y_BSCHW) and torch.equal(found.penalty, plain.penalty)
        assert same == (value == default)


@pytest.mark.parametrize("kind", BUILD)
def test_the_penalty_is_weighted_by_the_methods_own_parameter(kind: str) -> None:
    penalty, halved = (
        BUILD[kind]("align", 2, fusion_parameters={"weight": weight}).outputs(drawn(2)).penalty for weight in (1.0, 0.5)
    )
    assert penalty != 0
    assert torch.equal(halved, penalty * 0.5), "powers of two are exact"


def test_an_undeclared_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="concat has no parameter weight"):
        segmenter("concat", 2, fusion_parameters={"weight": 2.0})


PAPER = {"classes": 40, "depth": 101, "width": 64, "decoder_width": 256, "dropout": 0.5, "theta": 0.02}
# Millions of parameters, paper.md#parameters: shared convs, then the commonly used setting.
COUNTS = {
    "concat": ((118.73, 120.30, 126.59, 129.34), (120.07, 147.73, 168.99, 171.74)),
    "self-att": ((123.51, 139.44, 203.14, 231.01), (124.85, 166.87, 245.53, 273.40)),
    "align": ((120.82, 128.69, 160.14, 173.91), (238.81, 246.68, 278.14, 291.90)),
}


@pytest.mark.parametrize("method", COUNTS)
def test_counts_at_paper_size(method: str) -> None:
    """Ours agree with the counts derived from the paper's layer shapes to 0.01 M, their last printed digit."""
    shared, common = COUNTS[method]
    for stage, same, usual in zip(STAGES, shared, common, strict=True):
        with torch.device("meta"):
            ours = build_segmenter(modalities=2, convs="shared", norms="unshared", fusion=method, stage=stage, **PAPER)
            merged = methods()[method].merges
            apart = build_segmenter(
                modalities=2, convs="unshared", norms="unshared", fusion=method, stage=stage, merged=merged, **PAPER
            )
        assert count_parameters(ours) / 1e6 == pytest.approx(same, abs=0.011)
        assert count_parameters(apart) / 1e6 == pytest.approx(usual, abs=0.011)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "concat", "modalities": 1}, "concat needs at least 2 modalities"),
        ({"method": "uni-modal", "modalities": 2}, "uni-modal needs 1 modalities"),
        ({"method": "align", "modalities": 2, "merged": True}, "cannot merge the modalities"),
    ],
)
def test_impossible_fusions_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        segmenter(**arguments)


def test_levels_beyond_the_encoder_are_refused() -> None:
    with pytest.raises(ValueError, match=r"levels must be within 0\.\.3; found \[7\]"):
        Fusion("concat", frozenset({7})).check(2, 4)
    with pytest.raises(ValueError, match="no norm to exchange behind"):
        generator("exchange", 2, "early")


def test_exchange_at_some_stages_only() -> None:
    net = segmenter("exchange", 2, "middle")
    thetas = [
        {module.theta for module in stage.modules() if isinstance(module, ConstrainedNorm)}
        for stage in net.encoder.stages
    ]
    assert thetas == [{None}, {None}, {0.3}, {None}]


def test_flops_of_a_convolution_in_closed_form() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    assert count_flops(net, (1, 3, 10, 12)) == 2 * 10 * 12 * (9 * 3 * 8 + 8 * 4)


@pytest.mark.parametrize("method", methods())
@pytest.mark.parametrize("kind", BUILD)
@pytest.mark.parametrize("inference", [False, True])
def test_flops_are_those_of_torchs_counter(kind: str, method: str, inference: bool) -> None:
    modalities = max(modalities_for(method))
    net, shape = BUILD[kind](method, modalities), (1, modalities, 3, 32, 32)
    state, drawn = {name: value.clone() for name, value in net.state_dict().items()}, torch.get_rng_state()
    with torch.inference_mode(inference):
        found = count_flops(net, shape)
    assert net.training, "as it was"
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.to("meta").eval()(torch.empty(shape, device="meta"))
    assert found == counter.get_total_flops() > 0


def test_a_frozen_networks_head_keeps_its_norms() -> None:
    """Released statistics are ImageNet's, of the encoder; a head's norms have none to keep.

    Source: paper.md#frozen-statistics.
    """
    net = segmenter("none", 2, head="pspnet", freeze_norm_statistics=True)
    frozen = {name.split(".")[0] for name, module in net.named_modules() if getattr(module, "frozen", False)}
    assert frozen == {"encoder"}


def test_every_method_of_points_has_an_operator() -> None:
    for name in methods():
        module = importlib.import_module(f"cenbench.nn.fusion.{name.replace('-', '_')}")
        assert hasattr(module, "Operator") == (name in POINTS)
