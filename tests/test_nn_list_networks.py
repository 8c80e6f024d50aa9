"""Whole networks against the list-of-modalities formulation of `benchmarks/`, outputs and gradients, exchange on."""

from __future__ import annotations

import sys

import pytest
import torch
from checkout import REPOSITORY
from torch import Tensor

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
from list_networks import Layers, ListSegmenter, ListUNet, copy_weights, pairs

from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.unet import build_generator

THETA = 0.3  # with scaling factors from U(0, 1): about a third of the channels are exchanged


def agree(ours: torch.nn.Module, theirs: torch.nn.Module, x: Tensor) -> None:
    """In float64, so that sums in another order agree to about 1e-13 and a mix-up shows; running statistics too."""
    ours.double().train()
    theirs.double().train()
    copy_weights(ours, theirs)
    found, expected = ours(x), torch.stack(theirs(list(x.unbind(1))), dim=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for their, our in pairs(ours, theirs, gradients=True):
        torch.testing.assert_close(our, their, rtol=1e-7, atol=1e-7)
    for their, our in pairs(ours, theirs):
        torch.testing.assert_close(our, their, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("depth", "blocks", "convs", "norms", "modalities"),
    [
        (18, None, "shared", "unshared", 2),
        (18, None, "unshared", "unshared", 2),
        (50, (1, 1, 1, 1), "shared", "unshared", 3),
        (50, (1, 2, 1, 1), "unshared", "unshared", 2),
    ],
)
def test_segmenter(depth: int, blocks: tuple[int, ...] | None, convs: str, norms: str, modalities: int) -> None:
    torch.manual_seed(0)
    ours = build_segmenter(
        modalities=modalities, classes=5, depth=depth, width=4, decoder_width=4, dropout=0.0, convs=convs, norms=norms,
        fusion="exchange", theta=THETA, gamma_init="uniform", layers=blocks,
    )  # fmt: skip
    layers = Layers(modalities, convs == "shared", False, "batch", THETA)
    theirs = ListSegmenter(layers, depth=depth, width=4, decoder_width=4, classes=5, dropout=0.0, blocks=blocks)
    agree(ours, theirs, torch.randn(2, modalities, 3, 64, 96, dtype=torch.float64))


@pytest.mark.parametrize(("convs", "modalities"), [("shared", 2), ("unshared", 2), ("shared", 4), ("unshared", 3)])
def test_generator(convs: str, modalities: int) -> None:
    torch.manual_seed(0)
    ours = build_generator(
        modalities=modalities, levels=5, width=4, dropout=0.0, convs=convs, norms="unshared", fusion="exchange",
        theta=THETA, gamma_init="uniform",
    )  # fmt: skip
    layers = Layers(modalities, convs == "shared", False, "instance", THETA)
    theirs = ListUNet(layers, levels=5, width=4, dropout=0.0)
    agree(ours, theirs, torch.randn(2, modalities, 3, 64, 64, dtype=torch.float64))
