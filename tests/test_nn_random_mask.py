"""Exchange under a fixed random mask: by loops, drawn from the seed, part of the state, and nothing else differs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cenbench.evaluate.exchanged import exchanged_shares
from cenbench.nn.exchange import ConstrainedNorm, own_parts
from cenbench.nn.fusion.random_mask import mask
from cenbench.nn.norm import ModalityNorm
from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.sparsity import Sparsity
from cenbench.nn.unet import build_generator

SHARES = {"share": 0.75, "share_elsewhere": 0.25}


def segmenter(modalities: int, seed: int = 0, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    sizes = {"classes": 3, "depth": 18, "width": 8, "decoder_width": 8, "dropout": 0.0}
    return build_segmenter(modalities=modalities, **sizes, **settings(options))


def generator(modalities: int, seed: int = 0, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    return build_generator(modalities=modalities, levels=4, width=4, dropout=0.0, **settings(options))


def settings(options: dict[str, Any]) -> dict[str, Any]:
    masked = {"fusion": "random-mask", "fusion_parameters": SHARES}
    return {"convs": "shared", "norms": "unshared", "theta": 0.3, **masked, **options}


BUILD = {"segmenter": segmenter, "generator": generator}


def norms_of(network: nn.Module) -> list[ConstrainedNorm]:
    return [module for module in network.modules() if isinstance(module, ConstrainedNorm)]


def by_loop(x: Tensor, mask_MC: Tensor) -> Tensor:
    M, C = mask_MC.shape
    result = x.clone()
    for m in range(M):
        for c in range(C):
            if mask_MC[m, c]:
                others = [x[:, n, c] for n in range(M) if n != m]
                result[:, m, c] = sum(others[1:], others[0]) / len(others)
    return result


@pytest.mark.parametrize("M", [2, 3, 4])
@pytest.mark.parametrize("affine_shared", [False, True])
def test_a_masked_norm_is_a_norm_and_then_a_loop_over_the_mask(M: int, affine_shared: bool) -> None:
    torch.manual_seed(M)
    flags = {"affine_shared": affine_shared, "statistics_shared": affine_shared}
    norm = ConstrainedNorm("batch", M, 12, masked=True, **flags).double()
    plain = ModalityNorm("batch", M, 12, **flags).double()
    norm.draw_mask(lambda modalities, channels: mask(modalities, channels, **SHARES))
    assert norm.mask_MC is not None
    assert 0 < norm.mask_MC.sum() < norm.mask_MC.numel()
    x, weights = torch.randn(2, M, 12, 3, 2, dtype=torch.float64, requires_grad=True), torch.randn(2, M, 12, 3, 2)
    found, expected = norm(x), by_loop(plain(x), norm.mask_MC)
    # (sum - own) / (M - 1) rounds differently from a sum of the others: a few units in the last place.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    gradients = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_the_gradient_goes_to_the_donor_and_not_to_the_replaced_channel() -> None:
    """In evaluation mode a channel's output depends on no other channel, so each gradient is all or nothing."""
    norm = ConstrainedNorm("batch", 2, 2, masked=True, affine_shared=False, statistics_shared=False).eval()
    norm.draw_mask(lambda modalities, channels: torch.tensor([[True, False], [False, False]]))
    x = torch.randn(1, 2, 2, 1, 1, requires_grad=True)
    norm(x).sum().backward()
    assert x.grad is not None
    scale = 1 / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(x.grad.flatten(), scale * torch.tensor([0.0, 1.0, 2.0, 1.0]))


@pytest.mark.parametrize(("M", "C"), [(2, 8), (3, 12), (4, 16), (3, 8)])
def test_the_declared_share_of_each_part_is_masked(M: int, C: int) -> None:
    torch.manual_seed(1)
    drawn, own = mask(M, C, **SHARES), own_parts(M, C)
    for part, share in ((own, 0.75), (~own, 0.25)):
        expected = [round(share * int(row.sum())) for row in part]
        assert (drawn & part).sum(1).tolist() == expected
    assert not torch.equal(drawn, mask(M, C, **SHARES)), "drawn anew for each norm"


@pytest.mark.parametrize("M", [2, 3, 4])
@pytest.mark.parametrize("norms", ["unshared", "shared"])
@pytest.mark.parametrize("kind", BUILD)
def test_only_the_masks_tell_it_from_the_network_without(kind: str, norms: str, M: int) -> None:
    """Same weights, and the same random numbers after it; so cells of one seed are paired."""
    masked = BUILD[kind](M, norms=norms)
    after_masked = torch.rand(3)
    plain = BUILD[kind](M, norms=norms, fusion="none", fusion_parameters={})
    assert torch.equal(after_masked, torch.rand(3))
    states = masked.state_dict(), plain.state_dict()
    extra = {name for name in states[0] if name not in states[1]}
    assert {name.rsplit(".", 1)[1] for name in extra} == {"mask_MC"}
    assert len(extra) == len(norms_of(masked)) == len(norms_of(plain)), "where exchange acts: all constrained norms"
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
    x = torch.randn(2, M, 3, 32, 32)
    assert not torch.equal(masked(x), plain(x))


@pytest.mark.parametrize("kind", BUILD)
def test_the_mask_is_of_the_seed_and_of_the_state(kind: str) -> None:
    """A resumed or evaluated network has the mask it was trained with, whatever it was built with."""
    first, again, other = BUILD[kind](2, 5), BUILD[kind](2, 5), BUILD[kind](2, 6)

    def masks(network: nn.Module) -> list[Tensor]:
        return [norm.mask_MC for norm in norms_of(network) if norm.mask_MC is not None]

    assert all(map(torch.equal, masks(first), masks(again)))
    assert not all(map(torch.equal, masks(first), masks(other)))
    other.load_state_dict(first.state_dict())
    x = torch.randn(1, 2, 3, 32, 32)
    assert torch.equal(other.eval()(x), first.eval()(x))


def test_the_recorded_share_is_that_of_the_mask() -> None:
    """Where own part and rest are halves, the mean of the two shares: 0.75 and 0.25 of 4 or more channels are whole."""
    shares = exchanged_shares(segmenter(2), ("rgb", "depth"))
    assert shares["overall"] == {"rgb": 0.5, "depth": 0.5, "ensemble": 0.5}
    found = Sparsity(segmenter(2), "half").exchanged()
    assert found is not None
    assert found.tolist() == [0.5, 0.5]


def test_it_stays_within_the_own_part_where_exchange_does() -> None:
    for norm in norms_of(segmenter(2, own_part_only=True)):
        assert norm.mask_MC is not None
        assert not (norm.mask_MC & ~own_parts(2, norm.channels)).any()
        assert norm.mask_MC.any()


def test_it_acts_at_the_declared_stage_only() -> None:
    network = segmenter(2, stage="middle")
    masked = [any(norm.mask_MC is not None for norm in norms_of(stage)) for stage in network.encoder.stages]
    assert masked == [False, False, True, False]
