"""Corollary 1: the constructed network with exchange equals the one without; where it cannot, the reason is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from checkout import Checkout
from published import edit_sealed
from test_run_variants import variant
from torch import nn
from torch.nn import functional as F

from cenbench.errors import UserError
from cenbench.nn.corollary import CorollaryFails, Place, corollary_pair, smallest_place
from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.segmenter import Segmenter, build_segmenter
from cenbench.nn.unet import build_generator
from cenbench.paths import Paths
from cenbench.records.corollary import read_corollary
from cenbench.records.read import read_record
from cenbench.report.corollary_note import corollary_note
from cenbench.run.cell import run_cell
from cenbench.run.corollary import check_corollary, record_corollary
from cenbench.train.segmentation_loss import segmentation_nll_S

VOID = 255


def segmenter(depth: int = 18, **changes: Any) -> Segmenter:
    settings: dict[str, Any] = {"modalities": 2, "convs": "unshared", "norms": "unshared", "fusion": "exchange"}
    torch.manual_seed(3)
    built = build_segmenter(
        classes=5, depth=depth, width=4, decoder_width=4, dropout=0.5, theta=0.5, layers=(1, 1, 1, 1),
        **(settings | changes),
    )  # fmt: skip
    for module in built.modules():
        if isinstance(module, ConstrainedNorm):
            nn.init.uniform_(module.weight)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return built


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("changes", [{}, {"fusion": "none"}, {"own_part_only": True}, {"modalities": 3}])
def test_outputs_and_losses_are_equal_and_exchange_alone_changes_them(depth: int, changes: dict[str, Any]) -> None:
    """In float64 to 1e-9, far below the 1e-6 that are claimed: sums are in another order, nothing else differs."""
    network = segmenter(depth, **changes)
    layer = f"encoder.stages.1.0.norm{1 if depth == 18 else 2}"
    norm = network.get_submodule(layer)
    assert isinstance(norm, ConstrainedNorm)
    place = Place(layer, 1, int(norm.bias[1].argmax()))  # an offset that passes the ReLU
    pair = corollary_pair(network, place)
    x = torch.randn(2, changes.get("modalities", 2), 3, 32, 32, dtype=torch.float64)
    label = torch.randint(0, 5, (2, 32, 32))
    with torch.no_grad():
        outputs = [model(x) for model in (pair.without, pair.with_exchange, pair.unadjusted)]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=0, atol=1e-9)
    losses = [segmentation_nll_S(output, label, VOID) for output in outputs]
    torch.testing.assert_close(losses[1], losses[0], rtol=0, atol=1e-9)
    assert (outputs[2] - outputs[0]).abs().max() > 1e-6


def test_the_one_without_exchange_is_the_network_with_its_factor_at_zero() -> None:
    """Against a network that is built without exchange and set by hand; the given one is left alone."""
    network = segmenter(fusion="none")
    place = Place("encoder.stages.0.0.norm1", 0, 2)
    pair = corollary_pair(network, place)
    by_hand = segmenter(fusion="none").double().eval()
    norm = by_hand.get_submodule(place.layer)
    assert isinstance(norm, ConstrainedNorm)
    with torch.no_grad():
        norm.weight[0, 2] = 0
    before = network.get_submodule(place.layer).weight[0, 2]
    assert before != 0
    x = torch.randn(1, 2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(pair.without(x), by_hand(x))


def test_the_exchanged_channel_is_the_other_modalitys() -> None:
    """In f' the channel after the norm holds the other modality's map, so the equality is one of a network that
    exchanges.
    """
    network = segmenter(fusion="none")
    place = Place("encoder.stages.2.0.norm1", 0, 5)
    pair = corollary_pair(network, place)
    seen: dict[str, torch.Tensor] = {}
    for name, model in (("without", pair.without), ("with", pair.with_exchange)):
        norm = model.get_submodule(place.layer)
        norm.register_forward_hook(lambda module, inputs, output, name=name: seen.update({name: output.clone()}))
        with torch.no_grad():
            torch.manual_seed(5)
            model(torch.randn(1, 2, 3, 32, 32, dtype=torch.float64))
    kept, exchanged = seen["without"], seen["with"]
    assert torch.equal(exchanged[:, 0, 5], kept[:, 1, 5])
    assert kept[:, 0, 5].std() == 0
    assert exchanged[:, 0, 5].std() > 0


def test_for_a_1x1_convolution_what_is_added_is_the_proofs_bias() -> None:
    """W (*) ReLU(beta), one number per output channel, computed here from the parameters alone."""
    network = segmenter(50)
    place = Place("encoder.stages.0.0.norm2", 1, 3)
    pair = corollary_pair(network, place)
    block = pair.with_exchange.get_submodule("encoder.stages.0.0")
    original = network.get_submodule("encoder.stages.0.0")
    outputs = original.conv3.conv.weight.shape[0] // 2
    weight_O = original.conv3.conv.weight[outputs:, 3, 0, 0].double()
    bias_O = weight_O * F.relu(original.norm2.bias[1, 3].double())
    y = block.conv3(torch.zeros(1, 2, 4, 6, 6, dtype=torch.float64))
    assert torch.equal(y[0, 0], torch.zeros_like(y[0, 0]))
    torch.testing.assert_close(y[0, 1], bias_O[:, None, None].expand_as(y[0, 1]))


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (lambda: segmenter(convs="shared"), "share their convolutions"),
        (lambda: segmenter(convs="shared", norms="shared", fusion="none"), "share their scaling factors"),
        (lambda: segmenter(modalities=1, fusion="uni-modal"), "one modality"),
        (
            lambda: build_generator(
                modalities=2, levels=4, width=4, dropout=0.0, convs="unshared", norms="unshared", theta=0.5
            ),
            "skip connection",
        ),
    ],
)
def test_where_the_construction_does_not_apply_the_reason_is_given(network: Any, reason: str) -> None:
    with pytest.raises(CorollaryFails, match=reason):
        smallest_place(network())


def test_the_smallest_factor_is_chosen_and_places_are_checked() -> None:
    network = segmenter()
    norm = network.get_submodule("encoder.stages.3.0.norm1")
    with torch.no_grad():
        norm.weight[1, 7] = -1e-5
    assert smallest_place(network) == Place("encoder.stages.3.0.norm1", 1, 7)
    assert smallest_place(network, "encoder.stages.0.0.norm1").layer == "encoder.stages.0.0.norm1"
    for place in (Place("encoder.stem_norm", 0, 0), Place("encoder.stages.3.0.norm1", 2, 0)):
        with pytest.raises(CorollaryFails, match=r"encoder\.st"):
            corollary_pair(network, place)
    with pytest.raises(CorollaryFails, match="known: encoder"):
        smallest_place(network, "encoder.stages.0.0.norm2")


def test_a_trained_cell_shows_it_and_others_say_why_not(prepared_checkout: Checkout, tmp_path: Path) -> None:
    """From training to the result; the text of the page agrees with the network itself."""
    (tmp_path / "data").symlink_to(prepared_checkout.root / "data")
    (tmp_path / "params").symlink_to(prepared_checkout.root / "params")
    paths = Paths(tmp_path)
    cell = variant(prepared_checkout, "segmentation", {"fusion": "exchange", "l1": "half"})
    assert "cenbench corollary" in corollary_note("demo", cell)
    with pytest.raises(UserError, match="no finished weights"):
        check_corollary(cell, paths)
    run_cell(cell, paths)
    assert read_corollary(paths, read_record(paths, cell)).state == "missing"
    found = check_corollary(cell, paths)
    assert found.equal
    assert found.output_difference < 1e-9
    assert found.gamma != 0
    assert set(found.losses) == {"rgb", "depth", "ensemble"}
    assert record_corollary(cell, paths) == found
    kept = read_corollary(paths, read_record(paths, cell))
    assert (kept.state, kept.equal) == ("ok", True)
    assert kept.difference == max(found.output_difference, found.loss_difference)
    whole = paths.corollary(cell).read_bytes()
    for state, change in {
        "stale": {"weights_sha256": "0" * 64},
        "damaged": {"cell_id": "another"},
    }.items():
        edit_sealed(paths.corollary(cell), **change)
        assert read_corollary(paths, read_record(paths, cell)).state == state
        paths.corollary(cell).write_bytes(whole)
    paths.corollary(cell).write_bytes(whole[:-20])
    assert read_corollary(paths, read_record(paths, cell)).state == "damaged"
    for kind, changes in (("segmentation", {"convs": "shared"}), ("translation", {})):
        other = variant(prepared_checkout, kind, changes)
        assert "does not apply" in corollary_note("demo", other)
        with pytest.raises(UserError, match="does not apply"):
            check_corollary(other, paths)
    with pytest.raises(UserError, match="is not a constrained norm"):
        check_corollary(cell, paths, layer="encoder")
