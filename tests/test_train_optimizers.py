"""Our optimisers against torch's classes, bit for bit; learning-rate schedules against torch's schedulers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cenbench.train.optimizers import SGD, Adam, Optimizer, rate_factor

RATES = ((0.05, 0.01), (0.04, 0.02), (0.03, 0.0), (0.02, 0.02), (0.01, 0.01))
"""Learning rates of the two groups at each step."""
MAKERS: dict[str, tuple[Callable[..., Optimizer], Callable[[Any], torch.optim.Optimizer]]] = {
    "sgd": (
        lambda groups: SGD(groups, RATES[0], momentum=0.9, weight_decay=1e-2),
        lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=1e-2, fused=True),
    ),
    "adam": (
        lambda groups: Adam(groups, RATES[0], betas=(0.5, 0.999)),
        lambda groups: torch.optim.Adam(groups, lr=0.1, betas=(0.5, 0.999), fused=True),
    ),
    "adamw": (
        lambda groups: Adam(groups, RATES[0], betas=(0.9, 0.999), weight_decay=1e-2, decoupled=True),
        lambda groups: torch.optim.AdamW(groups, lr=0.1, betas=(0.9, 0.999), weight_decay=1e-2, fused=True),
    ),
}


def layers() -> nn.ModuleList:
    torch.manual_seed(5)
    return nn.ModuleList([nn.Linear(4, 3), nn.Linear(3, 2)])


def backward(net: nn.ModuleList, step: int) -> None:
    """Gradients of a step. The second layer has none at the first step, as with a part that is not reached."""
    torch.manual_seed(step)
    hidden = net[0](torch.randn(5, 4)).tanh()
    (hidden if step == 0 else net[1](hidden)).square().sum().backward()


@pytest.mark.parametrize("kind", list(MAKERS))
def test_steps_are_torchs_bit_for_bit_also_after_a_resume(kind: str) -> None:
    make, reference = MAKERS[kind]
    ours, theirs = layers(), layers()
    optimizer = make([ours[0].parameters(), ours[1].parameters()])
    expected = reference([{"params": layer.parameters()} for layer in theirs])
    start = ours[0].weight.detach().clone()
    for step, rates in enumerate(RATES):
        if step == 3:  # resumed from a saved state
            state = optimizer.state_dict()
            optimizer = make([ours[0].parameters(), ours[1].parameters()])
            optimizer.load_state_dict(state)
        optimizer.set_rates(rates)
        for group, rate in zip(expected.param_groups, rates, strict=True):
            group["lr"] = rate
        for net, own in ((ours, optimizer), (theirs, expected)):
            own.zero_grad()
            backward(net, step)
            own.step()
        for mine, reference_parameter in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(mine, reference_parameter), (kind, step)
    assert not torch.equal(start, ours[0].weight)


def test_recordable_adam_reads_its_rate_where_a_recording_does() -> None:
    """Rates in tensors give the numbers of rates in floats."""
    nets = layers(), layers()
    plain, recordable = (
        Adam([net.parameters()], [0.1], betas=(0.5, 0.999), recordable=flag, rates_change=flag)
        for net, flag in zip(nets, (False, True), strict=True)
    )
    for step, rate in enumerate((0.1, 0.05, 0.0)):
        for net, own in zip(nets, (plain, recordable), strict=True):
            own.set_rates([rate])
            own.zero_grad()
            backward(net, step)
            own.step()
    for mine, other in zip(*(net.parameters() for net in nets), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)  # a rate of float32 in one of them


def test_cosine_after_a_warm_up_is_torchs_schedule() -> None:
    total, warmup = 30, 6
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    rising = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / warmup, end_factor=1.0, total_iters=5)
    for step in range(warmup):
        factor = rate_factor(step, total, schedule="cosine", warmup_steps=warmup)
        assert factor == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        rising.step()
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total - warmup)
    for step in range(warmup, total):
        factor = rate_factor(step, total, schedule="cosine", warmup_steps=warmup)
        assert factor == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        falling.step()
    assert [rate_factor(step, total, schedule="constant", warmup_steps=2) for step in range(4)] == [0.5, 1, 1, 1]


def test_training_and_evaluation_import_neither_torchs_compiler_nor_sympy() -> None:
    """It costs a second per process, which is most of the start of a small cell."""
    script = """
import sys, torch
from cenbench.train import segmentation, translation
from cenbench.evaluate import segmentation, translation
from cenbench.nn.parameters import count_flops
from cenbench.train.optimizers import SGD, Adam
network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Upsample(scale_factor=2, mode="bilinear"))
with torch.inference_mode():
    count_flops(network, (1, 3, 8, 8))
weight = torch.nn.Parameter(torch.ones(3))
for own in (SGD([[weight]], [0.1], momentum=0.9, weight_decay=0.0), Adam([[weight]], [0.1], betas=(0.9, 0.99))):
    weight.grad = torch.ones(3)
    own.step()
sys.exit(not {"torch._dynamo", "sympy"}.isdisjoint(sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
