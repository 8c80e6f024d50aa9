"""How much a network exchanges: counted by hand, and pointed out where it is nothing or nearly all."""

from __future__ import annotations

import pytest
import torch

from cenbench.evaluate.exchanged import exchanged_shares
from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.sparsity import Sparsity
from cenbench.nn.unet import UNet, build_generator
from cenbench.report.exchange_note import exchange_note, exchange_text


def network(fusion: str = "exchange", *, own_part_only: bool = False) -> UNet:
    """Two constrained norms, of 8 and of 16 channels, all factors at one."""
    built = build_generator(modalities=2, levels=4, width=4, dropout=0.0, convs="shared", norms="unshared", theta=0.5,
                            fusion=fusion, own_part_only=own_part_only)  # fmt: skip
    for norm in built.modules():
        if isinstance(norm, ConstrainedNorm):
            torch.nn.init.ones_(norm.weight)
    return built


def test_the_shares_are_those_counted_by_hand() -> None:
    built = network()
    with torch.no_grad():
        built.down_norms[0].weight[0, :3] = torch.tensor([0.1, -0.2, 0.5])  # at theta itself a channel is kept
        built.down_norms[1].weight[1, 5:9] = -0.4
    shares = exchanged_shares(built, ("rgb", "depth"))
    assert shares["layers"] == {
        "down_norms.0": {"rgb": 2 / 8, "depth": 0.0},
        "down_norms.1": {"rgb": 0.0, "depth": 4 / 16},
    }
    assert shares["overall"] == pytest.approx({"rgb": 2 / 24, "depth": 4 / 24, "ensemble": 6 / 48})
    found = Sparsity(built, "half").exchanged()
    assert found is not None
    assert found.tolist() == pytest.approx([2 / 24, 4 / 24])


def test_the_share_is_that_of_channels_that_differ_after_the_norm() -> None:
    """Against the forward pass itself, for both rules of which channels may be replaced."""
    for own_part_only in (False, True):
        built = network(own_part_only=own_part_only)
        norm = built.down_norms[1]
        assert isinstance(norm, ConstrainedNorm)
        torch.manual_seed(1)
        torch.nn.init.uniform_(norm.weight)
        x = torch.randn(2, 2, 16, 4, 4)
        with_exchange = norm(x)
        norm.theta = None
        differs = (with_exchange != norm(x)).any(dim=(0, 3, 4)).float().mean(1)
        norm.theta = 0.5
        shares = exchanged_shares(built, ("rgb", "depth"))["layers"]["down_norms.1"]
        assert list(shares.values()) == pytest.approx(differs.tolist())
        assert 0 < differs.min() <= differs.max() < (0.5 if own_part_only else 1)


def test_a_network_without_exchange_has_no_share() -> None:
    assert exchanged_shares(network("none"), ("rgb", "depth")) == {}
    assert Sparsity(network("none"), "half").exchanged() is None


@pytest.mark.parametrize(
    ("overall", "words"),
    [
        ({"rgb": 0.0, "depth": 0.0, "ensemble": 0.0}, "exchanges no channel, because no |gamma| is under theta"),
        ({"rgb": 0.2, "depth": 0.0, "ensemble": 0.1}, "exchanges no channel of depth"),
        ({"rgb": 0.2, "depth": 0.95, "ensemble": 0.6}, "exchanges 95.0 % of depth, so little of its own is left"),
        ({"rgb": 0.9, "depth": 0.001, "ensemble": 0.4}, ""),
        ({}, ""),
    ],
)
def test_nothing_and_nearly_all_are_pointed_out(overall: dict[str, float], words: str) -> None:
    note = exchange_note({"overall": overall, "layers": {}})
    assert note.startswith(words)
    assert bool(note) == bool(words)


def test_the_text_gives_each_modality() -> None:
    assert exchange_text({"overall": {"rgb": 0.25, "depth": 0.5, "ensemble": 0.375}}) == (
        "Exchanged channels: rgb 25.0 %, depth 50.0 %"
    )
    assert exchange_text({}) == ""
