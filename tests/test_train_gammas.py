"""The recorded scaling factors: what they are, that recording changes nothing, that a resumed run records the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import scipy.stats
import torch
from checkout import Checkout
from published import edit_sealed, make_root, publish
from test_gpu_step import trainer_of
from test_run_variants import VARIANTS, variant
from torch import Tensor

from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.network import Network
from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.sparsity import Sparsity, traced_norms
from cenbench.nn.unet import build_generator
from cenbench.paths import Paths
from cenbench.records.gammas import NoGammas, read_gammas
from cenbench.records.read import read_record
from cenbench.run.cell import run_cell
from cenbench.train import loop
from cenbench.train.gamma_file import FILE, LARGEST_BYTES, MOST_POINTS, Gammas, from_bytes, to_bytes
from cenbench.train.gamma_recording import GammaRecording, RecordedGammas, content, most_points, recorded_gammas
from cenbench.train.loop import train_steps
from cenbench.train.segmentation import SegmentationTrainer
from cenbench.train.translation import TranslationTrainer

EXCHANGE: dict[str, Any] = {"fusion": "exchange", "l1": "half"}
GRADIENTS = [("segmentation", name) for name in ("official", "align", "pspnet", "bfloat16", "uni-modal")]
GRADIENTS += [("translation", "official"), ("translation", "bfloat16")]
IDENTITY = {"training_id": "a cell"}
STEPS = 7


def train(
    trainer: SegmentationTrainer | TranslationTrainer, folder: Path, *, recorded: bool = True
) -> tuple[bytes, bytes | None]:
    """History and recorded gammas of a training of a few steps."""
    source = recorded_gammas(trainer.cell, trainer.network, trainer.sparsity)
    recording = GammaRecording(source, lines=STEPS) if recorded else None
    history = train_steps(
        trainer, folder=folder, seed=3, total=STEPS, steps_per_epoch=2, identity=IDENTITY, recording=recording
    )
    return history, recording.content() if recording else None


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_recording_changes_no_bit_of_a_training(prepared_checkout: Checkout, tmp_path: Path, kind: str) -> None:
    cell, data = variant(prepared_checkout, kind, EXCHANGE), prepared_checkout.root / "data" / "prepared"
    runs = []
    for recorded in (True, False):
        trainer = trainer_of(cell, data, torch.device("cpu"))
        history, _ = train(trainer, tmp_path / str(recorded), recorded=recorded)
        runs.append((history, trainer.state_dict()))
    assert runs[0][0] == runs[1][0]
    first, second = (_tensors(state) for _, state in runs)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_an_interrupted_run_records_the_same_bytes(
    prepared_checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 1e9)
    cell, data = variant(prepared_checkout, kind, EXCHANGE), prepared_checkout.root / "data" / "prepared"
    _, whole = train(trainer_of(cell, data, torch.device("cpu")), tmp_path / "whole")
    assert whole is not None
    assert from_bytes(whole).step_T.tolist() == list(range(1, STEPS + 1))
    for death in (1, 4):
        trainer = trainer_of(cell, data, torch.device("cpu"))
        step = trainer.step
        monkeypatch.setattr(trainer, "step", lambda at, step=step, death=death: step(at) if at < death else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(trainer, tmp_path / str(death))
        assert train(trainer_of(cell, data, torch.device("cpu")), tmp_path / str(death))[1] == whole


@pytest.mark.parametrize(("kind", "name"), GRADIENTS)
def test_the_recorded_gradient_is_that_of_the_loss_without_l1(
    prepared_checkout: Checkout, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    """Against autograd on the same step with the l1 term's factor at zero. Two sums in float32, of gradients and of
    the l1 term's part, so a few units in the last place of the larger; with bfloat16 the backward pass is the same
    too, because the l1 term is outside of autocast.
    """
    cell, data = variant(prepared_checkout, kind, VARIANTS[kind, name]), prepared_checkout.root / "data" / "prepared"
    weight = cell.protocol.l1_weight(len(cell.streams))
    assert weight > 0
    observed = {}
    for l1_weight in (weight, 0.0):
        trainer = trainer_of(cell, data, torch.device("cpu"))
        monkeypatch.setattr(type(cell.protocol), "l1_weight", lambda self, streams, value=l1_weight: value)
        torch.manual_seed(5)
        trainer.begin(0)
        trainer.step(0)
        observed[l1_weight] = trainer.sparsity.observed(l1_weight)[1:]
        if l1_weight == 0.0:
            plain = torch.cat([_full(norm.weight.grad, norm.modalities) for norm in trainer.sparsity.norms.values()], 1)
            assert torch.equal(observed[0.0][0], plain)
    (gradient, offset), (expected, expected_offset) = observed[weight], observed[0.0]
    tolerance = 8 * torch.finfo(torch.float32).eps * (expected.abs().max() + weight)
    assert (gradient - expected).abs().max() <= tolerance
    assert torch.equal(offset, expected_offset)


def test_a_point_is_what_its_arrays_say(prepared_checkout: Checkout) -> None:
    """Every array against NumPy on the network's own parameters, with some factors under theta and some not."""
    cell = variant(prepared_checkout, "segmentation", {**EXCHANGE, "protocol": {"exchange_own_part_only": True}})
    trainer = trainer_of(cell, prepared_checkout.root / "data" / "prepared", torch.device("cpu"))
    source = recorded_gammas(cell, trainer.network, trainer.sparsity)
    recording = GammaRecording(source, lines=1)
    trainer.begin(0)
    before = [norm.weight.detach().clone() for norm in source.sparsity.norms.values()]
    trainer.step(0)
    recording.line(1)
    found = from_bytes(recording.content())
    weight, theta = source.l1_weight, source.theta
    assert (found.lambda_l1, found.theta) == (weight, theta)
    probabilities, small = [], []
    for (name, norm), start in zip(source.sparsity.norms.items(), before, strict=True):
        layer, gamma_MC = found.layers[name], norm.weight.detach().numpy()
        own = np.arange(norm.channels) < norm.channels // 2
        own_MC = np.stack([own, ~own])
        assert layer.exchanges
        assert np.array_equal(layer.final_MC, gamma_MC)
        assert layer.share_TM[0] == pytest.approx(((np.abs(gamma_MC) < theta) & own_MC).mean(1))
        assert norm.weight.grad is not None
        gradient_MC = np.abs(norm.weight.grad.numpy() - np.float32(weight) * np.sign(start.numpy()) * own_MC)
        assert layer.small_gradient_TM[0] == pytest.approx((gradient_MC < weight).mean(1))
        expected = np.quantile(gradient_MC.astype(float), np.arange(1, 10) / 10, axis=1).T
        np.testing.assert_allclose(layer.gradient_deciles_TMD[0], expected, rtol=1e-5)
        assert norm.bias.grad is not None
        probability_MC = _theorem(weight, norm.bias.grad.numpy())
        np.testing.assert_allclose(layer.probability_TM[0], probability_MC.mean(1), rtol=1e-5)
        if layer.path_TMC is not None:
            assert np.array_equal(layer.path_TMC[0], gamma_MC)
        probabilities.append(probability_MC)
        small.append(gradient_MC < weight)
    probability_MN, small_MN = np.concatenate(probabilities, 1), np.concatenate(small, 1)
    order_MN = probability_MN.argsort(axis=1, kind="stable")
    for name, values_MN in (("probability", probability_MN), ("small_gradient", small_MN.astype(float))):
        sorted_MN = np.take_along_axis(values_MN, order_MN, 1)
        expected = np.stack([part.mean(1) for part in _tenths(sorted_MN)], 1)
        np.testing.assert_allclose(getattr(found, f"{name}_tenths_TMD")[0], expected, rtol=1e-4, atol=1e-6)


def test_points_are_spaced_evenly_end_with_the_last_line_and_are_at_most_200(prepared_checkout: Checkout) -> None:
    cell = variant(prepared_checkout, "translation", EXCHANGE)
    trainer = trainer_of(cell, prepared_checkout.root / "data" / "prepared", torch.device("cpu"))
    trainer.begin(0)
    trainer.step(0)
    for lines, spacing in ((1, 1), (150, 1), (200, 1), (201, 2), (1980, 10)):
        recording = GammaRecording(recorded_gammas(cell, trainer.network, trainer.sparsity), lines=lines)
        for line in range(1, lines + 1):
            recording.line(20 * line)
        steps = from_bytes(recording.content()).step_T
        assert len(steps) <= MOST_POINTS
        assert steps[-1] == 20 * lines
        assert set(np.diff(steps)) <= {20 * spacing}


SIZES = {
    "refinenet, ResNet-101": {"depth": 101, "modalities": 2},
    "refinenet, ResNet-152": {"depth": 152, "modalities": 2},
    "pspnet, ResNet-152, four inputs": {"depth": 152, "modalities": 4},
    "unet, 8 levels": {"levels": 8, "modalities": 2},
    "unet, 8 levels, four inputs": {"levels": 8, "modalities": 4},
    "unet, 9 levels, four inputs": {"levels": 9, "modalities": 4},
}


@pytest.mark.parametrize("name", SIZES)
def test_the_file_is_bounded_at_paper_size(name: str) -> None:
    """With the real networks' layers, as many points as there is room for, filled with numbers."""
    network = paper_network(**SIZES[name])
    for module in network.modules():
        if isinstance(module, ConstrainedNorm):
            module.to_empty(device="cpu")
            torch.nn.init.uniform_(module.weight)
    source = RecordedGammas(Sparsity(network, "half"), 0.02, 2e-4, traced_norms(network, (7, 8)))
    channels = {layer: norm.channels for layer, norm in source.sparsity.norms.items()}
    most, modalities = most_points(channels, SIZES[name]["modalities"], source.traced), SIZES[name]["modalities"]
    point = {
        **{f"{kind}/{layer}": torch.rand(modalities) for kind in ("share", "small_gradient") for layer in channels},
        **{f"probability/{layer}": torch.rand(modalities) for layer in channels},
        **{f"gradient_deciles/{layer}": torch.rand(modalities, 9).sort().values for layer in channels},
        **{f"path/{layer}": torch.rand(modalities, channels[layer]) for layer in source.traced},
        **{f"{kind}_tenths": torch.rand(modalities, 10) for kind in ("probability", "small_gradient")},
    }
    data = content(source, range(1, most + 1), [point] * most)
    assert len(data) <= LARGEST_BYTES
    assert most == MOST_POINTS or len(data) > 0.9 * LARGEST_BYTES, "no point is given away"
    assert most >= 100
    found = from_bytes(data)
    assert list(found.layers) == list(channels), "in the network's order"
    assert found.traced == source.traced


def paper_network(*, modalities: int, depth: int = 0, levels: int = 0) -> Network:
    with torch.device("meta"):
        if levels:
            return build_generator(modalities=modalities, levels=levels, width=64, dropout=0.5, convs="shared",
                                   norms="unshared", theta=0.02, fusion="exchange")  # fmt: skip
        return build_segmenter(modalities=modalities, classes=40, depth=depth, width=64, decoder_width=256, dropout=0.5,
                               convs="shared", norms="unshared", theta=0.02, fusion="exchange")  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"depth": 101}, ("encoder.stages.1.3.norm2", "encoder.stages.2.0.norm2")),
        ({"depth": 50}, ("encoder.stages.1.3.norm2", "encoder.stages.2.0.norm2")),
        ({"depth": 152}, ("encoder.stages.1.3.norm2", "encoder.stages.1.4.norm2")),
        ({"depth": 18}, ("encoder.stages.1.1.norm1", "encoder.stages.1.1.norm2")),
        ({"levels": 8}, ("down_norms.5",)),
        ({"levels": 9}, ("down_norms.5", "down_norms.6")),
        ({"levels": 4}, ("down_norms.1",)),
    ],
)
def test_the_traced_norms_are_those_of_the_7th_and_8th_convolution(
    sizes: dict[str, int], expected: tuple[str, ...]
) -> None:
    """Counted by hand: figure 5's 8th 3x3 convolution of ResNet-101 is the first block of its third stage, with 256
    channels; a U-Net has no constrained norm after its first and last convolution.
    """
    assert traced_norms(paper_network(modalities=2, **sizes), (7, 8)) == expected


def test_a_record_holds_the_file_and_the_reader_never_raises(prepared_checkout: Checkout, tmp_path: Path) -> None:
    cell, paths = variant(prepared_checkout, "segmentation", EXCHANGE), Paths(tmp_path)
    (tmp_path / "data").symlink_to(prepared_checkout.root / "data")
    run_cell(cell, paths)
    record = read_record(paths, cell)
    assert record.state == "ok"
    gammas = read_gammas(record)
    assert isinstance(gammas, Gammas)
    assert gammas.traced
    whole = (record.folder / FILE).read_bytes()
    assert (paths.state(cell) / FILE).read_bytes() == whole == to_bytes(gammas)
    weights = safetensors.numpy.load_file(paths.state(cell) / "weights.safetensors")
    for name, layer in gammas.layers.items():
        assert np.array_equal(layer.final_MC, weights[f"{name}.weight"])
    for data in (b"", whole[:-1], whole[:200], b"x" * 500, whole[::-1]):
        (record.folder / FILE).write_bytes(data)
        found = read_gammas(record)
        assert isinstance(found, NoGammas)
        assert FILE in found.reason
        assert read_record(paths, cell).state == "damaged"


def test_a_record_without_the_file_gives_a_reason(tmp_path: Path) -> None:
    plan, paths = make_root(tmp_path, tiny=True)
    cell = next(iter(plan.cells.values()))
    assert isinstance(read_gammas(read_record(paths, cell)), NoGammas)
    publish(paths, cell)
    assert isinstance(read_gammas(read_record(paths, cell)), Gammas)
    document = json.loads(paths.record(cell).read_text())
    edit_sealed(paths.record(cell), files={name: value for name, value in document["files"].items() if name != FILE})
    found = read_gammas(read_record(paths, cell))
    assert isinstance(found, NoGammas)
    assert "recorded no scaling factors" in found.reason


@pytest.mark.parametrize("break_it", ["order", "shape", "type", "share", "missing", "unknown", "infinite", "too long"])
def test_content_of_another_shape_is_refused(break_it: str) -> None:
    network = paper_network(modalities=2, levels=4).to_empty(device="cpu")
    for parameter in network.parameters():
        torch.nn.init.ones_(parameter)
    source = RecordedGammas(Sparsity(network, "half"), 0.02, 2e-4, ("down_norms.1",))
    good = from_bytes(content(source))
    assert len(good.step_T) == 0
    arrays = safetensors.numpy.load(to_bytes(good))
    changed: dict[str, Any] = {
        "order": {"step": np.array([2, 1])},
        "shape": {"final/down_norms.0": np.ones((2, 3, 1), np.float32)},
        "type": {"theta": np.array(1)},
        "share": {"share/down_norms.0": np.full((0, 3), 2.0, np.float32)},
        "missing": {},
        "unknown": {"more": np.zeros(1)},
        "infinite": {"lambda": np.array(np.inf)},
        "too long": {"final/down_norms.0": np.ones((2, LARGEST_BYTES), np.float32)},
    }
    arrays |= changed[break_it]
    if break_it == "missing":
        del arrays["final/down_norms.0"]
    with pytest.raises(ValueError, match=r"step|final|theta|share|exchanges|more|lambda|bytes|unknown"):
        from_bytes(safetensors.numpy.save(arrays))


def _theorem(weight: float, gradient: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return 2 * scipy.stats.norm.cdf(weight / np.abs(gradient.astype(float))) - 1


def _tenths(sorted_MN: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(part) for part in np.split(sorted_MN, [sorted_MN.shape[1] * k // 10 for k in range(1, 10)], 1)]


def _full(gradient: Tensor | None, modalities: int) -> Tensor:
    assert gradient is not None
    return gradient.expand(modalities, gradient.shape[1])


def _tensors(state: Any, name: str = "") -> dict[str, Tensor]:
    if isinstance(state, Tensor):
        return {name: state}
    children = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else ()
    return {key: value for child, inner in children for key, value in _tensors(inner, f"{name}.{child}").items()}
