"""Protocols: `clean` has no quirk of the released code, `official` every one, and each quirk does what its name says.

What a quirk does is checked against closed forms and loops written here, not against the code that does it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coded_dataset import HEIGHT, TRAIN, WIDTH, coded_dataset, segmentation, translation
from tiny_dataset import write_dataset
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.data import transforms
from cenbench.data.batches import EvalBatches, SegmentationBatches, TranslationBatches
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.evaluate import score_segmentation, score_translation
from cenbench.evaluate.score_segmentation import predicted_classes
from cenbench.evaluate.task import evaluation_of
from cenbench.matrix import describe
from cenbench.matrix.cell import Cell, Task
from cenbench.matrix.plan import load_plan
from cenbench.matrix.preset import Preset, load_preset
from cenbench.matrix.specs import (
    DatasetSpec,
    SegmentationEvaluation,
    SegmentationNet,
    SegmentationProtocol,
    TranslationEvaluation,
    TranslationNet,
    TranslationProtocol,
    check_fit,
)
from cenbench.metrics import fid
from cenbench.metrics.inputs.confusion import Confusion
from cenbench.metrics.inputs.extractors import load_extractor
from cenbench.metrics.inputs.images import stretch_to_uint8, to_uint8
from cenbench.metrics.inputs.scores import confusion_scores
from cenbench.nn.network import Network
from cenbench.nn.norm import EPS, ModalityNorm, set_own_statistics
from cenbench.nn.unet import UNet
from cenbench.paths import Paths
from cenbench.records.write import Measured
from cenbench.train import segmentation as segmentation_training
from cenbench.train import translation as translation_training
from cenbench.train.setup import Setup
from cenbench.train.task import training_of
from cenbench.train.train_cell import load_network
from cenbench.train.trained import Trained, finish

PARAMS = Path(__file__).parents[1] / "params"
CPU = torch.device("cpu")
PARTS: dict[str, type[SegmentationProtocol | TranslationProtocol | TranslationEvaluation]] = {
    "segmentation": SegmentationProtocol,
    "translation": TranslationProtocol,
    "evaluation": TranslationEvaluation,
}
ALL = [(part, quirk) for part, model in PARTS.items() for quirk in model.QUIRKS]


# ---------------------------------------------------------------- which protocol may have which quirk


def value_of(quirk: str, on: bool) -> Any:
    return ("best" if on else "last") if quirk == "selection" else on


def spelled(quirk: str) -> str:
    """How a quirk that is on is written in `params/`."""
    return "best" if quirk == "selection" else "true"


def make(part: str, name: str, quirks: dict[str, bool]) -> None:
    """Make this part under a protocol called `name`; ValueError where the two do not go together."""
    given = {quirk: value_of(quirk, on) for quirk, on in quirks.items()}
    if part == "segmentation":
        segmentation(name=name, **given)
    elif part == "translation":
        translation(name=name, **given)
    else:
        # The name is the protocol's; its own quirks are whatever the name asks for.
        own = {quirk: value_of(quirk, name == "official") for quirk in TranslationProtocol.QUIRKS}
        dataset = DatasetSpec(name="tiny", size_px=16, train_scenes=4, val_scenes=4, seed=1)
        protocol = translation(name=name, resize_px=18, crop_px=16, **own)
        check_fit(dataset, TranslationNet(head="unet", levels=3), protocol, evaluation(**given))


def evaluation(**changes: Any) -> TranslationEvaluation:
    given = {"batch_size": 2, "extractor": "seeded-conv", "kid_subsets": 2, "kid_subset_size": 3, "kid_seed": 0}
    return TranslationEvaluation(**{**given, "samples": 1, **changes})


@pytest.mark.parametrize(("part", "quirk"), ALL)
def test_clean_with_a_quirk_is_refused_by_its_name(part: str, quirk: str) -> None:
    make(part, "clean", {})
    with pytest.raises(ValueError, match=f"protocol clean forbids {quirk}: {spelled(quirk)}"):
        make(part, "clean", {quirk: True})


@pytest.mark.parametrize(("part", "quirk"), ALL)
def test_official_without_a_quirk_is_refused_by_its_name(part: str, quirk: str) -> None:
    every = dict.fromkeys(PARTS[part].QUIRKS, True)
    make(part, "official", every)
    with pytest.raises(ValueError, match=f"protocol official needs {quirk}: {spelled(quirk)}"):
        make(part, "official", {**every, quirk: False})


@pytest.mark.parametrize(("part", "quirk"), ALL)
def test_another_name_may_have_any_quirk_alone(part: str, quirk: str) -> None:
    make(part, "mine", {quirk: True})


# ---------------------------------------------------------------- what training reads


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return coded_dataset(tmp_path_factory.mktemp("coded"))


@pytest.mark.parametrize("on", [False, True])
def test_depth_is_padded_with_the_mean_colour_read_as_depth(coded: Prepared, on: bool) -> None:
    """123.675, 116.28 and 103.53 of 1/5000 m, in three channels that are equal elsewhere; rgb and normals stay at 0."""
    task = Task.parse("rgb+depth+normal+depth_zbuffer->semantic")
    protocol = segmentation(name="mine", scale_min=0.5, scale_max=0.5, crop_px=9, pad_depth_as_rgb=on)
    batches = SegmentationBatches(coded, task, protocol, seed=1)
    sides = set()
    for step in range(6):
        x_BMCHW, label_BHW = batches.batch(step)
        for x_MCHW, label_HW in zip(x_BMCHW, label_BHW, strict=True):
            padding = label_HW == 255
            assert int(padding.sum()) == 9 * 9 - HEIGHT // 2 * (WIDTH // 2)
            sides.add((bool(padding[0, 0]), bool(padding[0, -1])))
            for channel, mean in enumerate((123.675, 116.28, 103.53)):
                for depth in (1, 3):
                    expected = mean / 5000 if on else 0.0
                    np.testing.assert_allclose(x_MCHW[depth, channel][padding], expected, rtol=1e-6)  # float32
                    assert torch.equal(x_MCHW[depth, channel][~padding], x_MCHW[depth, 0][~padding])
                for other in (0, 2):
                    assert (x_MCHW[other, channel][padding] == 0).all()
    assert sides == {(True, False), (False, True)}, "mirrored and not"


def test_a_small_scale_is_raised_to_the_shorter_side_asked_for() -> None:
    def size(draw: float, shape: tuple[int, int], least: int | None) -> tuple[int, int]:
        window = transforms.segmentation_window(np.array([draw, 0, 0, 0]), shape, 50, (0.5, 2.0), True, least)
        return window.height, window.width

    # Scales 0.5, 0.8, 1.25 of 40 x 60, at least 36 px: 0.9 of it; the NYUDv2 size and the released code's 350.
    assert [size(draw, (40, 60), 36) for draw in (0.0, 0.2, 0.5)] == [(36, 54), (36, 54), (50, 75)]
    assert [size(draw, (40, 60), None) for draw in (0.0, 0.2, 0.5)] == [(20, 30), (32, 48), (50, 75)]
    assert size(0.0, (60, 40), 36) == (54, 36)
    assert size(0.0, (468, 625), 350) == (350, round(625 * 350 / 468))
    assert size(0.0, (10, 10), 25) == (25, 25), "over the greatest scale too, as in the released code"


@pytest.mark.parametrize("least", [None, HEIGHT])
def test_batches_heed_the_least_side(coded: Prepared, least: int | None) -> None:
    protocol = segmentation(scale_min=0.5, scale_max=0.5, crop_px=HEIGHT, min_side_px=least)
    _, label_BHW = SegmentationBatches(coded, Task.parse("depth->semantic"), protocol, seed=1).batch(0)
    assert bool((label_BHW == 255).any()) == (least is None)


def normalised(coded: Prepared, name: str, scene: int) -> np.ndarray:
    """(3, H, W) float64 in [-1, 1]."""
    stored = coded.array(name)[scene].astype(np.float64)
    channels = stored if stored.ndim == 3 else stored[..., None].repeat(3, -1)
    scaled: np.ndarray = channels.transpose(2, 0, 1) / 127.5 - 1
    return scaled


@pytest.mark.parametrize("past_edge", [False, True])
def test_crops_past_the_edge_are_black_there(coded: Prepared, past_edge: bool) -> None:
    """One pixel at a time. Nothing is resized here, so every value is a stored one or, past the edge, black."""
    crop, resize = 6, HEIGHT
    protocol = translation(name="mine", resize_px=resize, crop_px=crop, crop_past_edge=past_edge)
    batches = TranslationBatches(coded, Task.parse("shade+normal->rgb"), protocol, seed=3)
    images = {name: [normalised(coded, name, scene) for scene in range(TRAIN)] for name in ("shade", "normal", "rgb")}
    corners = set()
    for step in range(40):
        x_BMCHW, y_BCHW = batches.batch(step)
        order = np.random.default_rng([3, 0, step // 3]).permutation(TRAIN)[step % 3 * 2 : step % 3 * 2 + 2]
        draws = np.random.default_rng([3, 1, step]).random((2, 4))
        for scene, (_, flip, down, across), x_MCHW, y_CHW in zip(order, draws, x_BMCHW, y_BCHW, strict=True):
            # The released code draws from 0..(resize - crop + 1), both ends included.
            top = int(down * (HEIGHT - crop + (2 if past_edge else 1)))
            left = int(across * (WIDTH - crop + (2 if past_edge else 1)))
            corners.add((top, left))
            for name, found in (("shade", x_MCHW[0]), ("normal", x_MCHW[1]), ("rgb", y_CHW)):
                expected = np.full((3, crop, crop), -1.0)
                for row, column in itertools.product(range(crop), repeat=2):
                    y, x = top + row, left + (crop - 1 - column if flip < 0.5 else column)
                    if y < HEIGHT and x < WIDTH:
                        expected[:, row, column] = images[name][scene][:, y, x]
                        if name == "normal" and flip < 0.5:
                            expected[0, row, column] *= -1
                np.testing.assert_allclose(found, expected, atol=1e-6)  # float32
    tops, lefts = (range(side - crop + (2 if past_edge else 1)) for side in (HEIGHT, WIDTH))
    assert corners == set(itertools.product(tops, lefts))


# ---------------------------------------------------------------- how translation is measured


@dataclass(frozen=True)
class Tiny:
    """A cell with random weights on a dataset of noise, ready to be measured."""

    cell: Cell
    prepared: Prepared
    trained: Trained
    paths: Paths

    def measure(self, seed: int = 1, **changes: Any) -> Measured:
        """Measured with these parts of the evaluation otherwise."""
        setup = self.setup(self.otherwise(seed, **changes))
        return evaluation_of(self.cell).measure(setup, loaded(self))

    def setup(self, cell: Cell | None = None) -> Setup:
        return Setup(cell or self.cell, self.prepared, CPU, self.paths)

    def otherwise(self, seed: int = 1, **changes: Any) -> Cell:
        changed = self.cell.evaluation.model_copy(update=changes)
        return self.cell.model_copy(update={"evaluation": changed, "seed": seed})

    def mae(self, network: nn.Module, split: str = "val") -> list[float]:
        """Mean absolute error x 10 of every stream, for a network in whatever mode it is."""
        with torch.no_grad():
            pairs = [(network(x), y) for x, y in EvalBatches(self.prepared, self.cell.task, split, 2)]
        errors_BSCHW = torch.cat([(image.double() - y[:, None].double()).abs() for image, y in pairs])
        return (10 * errors_BSCHW.mean((0, 2, 3, 4))).tolist()


def noise(names: tuple[str, ...], scenes: int, side: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        if name == "semantic":
            arrays[name] = rng.integers(0, 10, (scenes, side, side)).astype(np.uint8)
        elif name in ("rgb", "normal"):
            arrays[name] = rng.integers(30, 150, (scenes, side, side, 3)).astype(np.uint8)
        else:
            stored = np.uint8 if name == "shade" else np.uint16
            arrays[name] = rng.integers(20, 250, (scenes, side, side)).astype(stored)
    return arrays


def cell_of(task: str, network: Any, protocol: Any, how: Any, side: int, val_scenes: int) -> Cell:
    return Cell(
        task=Task.parse(task),
        dataset=DatasetSpec(name="tiny", size_px=side, train_scenes=2, val_scenes=val_scenes, seed=1),
        network=network,
        fusion="exchange",
        convs="shared",
        norms="unshared",
        l1="half",
        protocol=protocol,
        evaluation=how,
        seed=1,
    )


def shaken(network: nn.Module) -> nn.Module:
    """Running statistics and norms away from where they start, so that it matters which are used; transposed
    convolutions as large as a trained generator's, so that its deepest levels matter.
    """
    torch.manual_seed(8)
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, 0.2)
        if isinstance(module, ModalityNorm):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    root = tmp_path_factory.mktemp("generator")
    network = TranslationNet(head="unet", levels=4, generator_width=4, dropout=0.5)
    protocol = translation(name="mine", resize_px=34, crop_px=32)
    cell = cell_of("shade+texture->rgb", network, protocol, evaluation(), 32, 5)
    prepared = write_dataset(root, noise(("shade", "texture", "rgb"), 7, 32), 2)
    trained = finish(root / "state", shaken(translation_training.build(cell)), b"", 0, {"training_id": "none"})
    return Tiny(cell, prepared, trained, Paths(root))


def loaded(tiny: Tiny) -> Network:
    return load_network(training_of(tiny.cell), tiny.setup(), tiny.trained)


def maes(measured: Measured) -> list[float]:
    return [values["mae_x10"] for values in measured.metrics.values()]


def test_the_evaluated_split_is_the_one_the_evaluation_names(generator: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generator.prepared.manifest.splits, "tune", (0, 2))
    measured = generator.measure(split="tune", kid_subset_size=2, samples=2)
    expected = generator.mae(loaded(generator).eval(), "tune")
    assert maes(measured) == pytest.approx(expected, rel=1e-12)
    assert maes(measured) != pytest.approx(maes(generator.measure()), rel=1e-3)


@pytest.mark.parametrize("evaluation_of_kind", [SegmentationEvaluation, TranslationEvaluation])
def test_a_split_that_the_dataset_lacks_is_refused(evaluation_of_kind: type) -> None:
    settings: dict[str, Any] = {"batch_size": 2, "split": "tune", "samples": 3}
    if evaluation_of_kind is TranslationEvaluation:
        settings |= {"extractor": "seeded-conv", "kid_subsets": 2, "kid_subset_size": 2, "kid_seed": 0}
    given = evaluation_of_kind(**settings)
    rooms = DatasetSpec(name="synthrooms", size_px=32, train_scenes=4, val_scenes=9, seed=1)
    with pytest.raises(ValueError, match="split tune has no scenes: set tune_scenes in the dataset"):
        given.check_fit(rooms)
    with pytest.raises(ValueError, match="samples 3 exceeds tune_scenes 2"):
        given.check_fit(rooms.model_copy(update={"tune_scenes": 2}))
    given.check_fit(rooms.model_copy(update={"tune_scenes": 3}))
    assert given.selecting()["selected_on"] == "tune"


def test_without_a_quirk_evaluation_is_evaluation_mode(generator: Tiny) -> None:
    expected = generator.mae(loaded(generator).eval())
    # float64 means of the same float32 errors, in another order.
    assert maes(generator.measure()) == pytest.approx(expected, rel=1e-12)


def test_dropout_at_test_is_drawn_from_the_cells_seed_and_nothing_else(generator: Tiny) -> None:
    torch.manual_seed(123)
    first = generator.measure(dropout_at_test=True)
    torch.manual_seed(77)
    second = generator.measure(dropout_at_test=True)
    assert (first.metrics, first.samples) == (second.metrics, second.samples)
    assert maes(generator.measure(seed=2, dropout_at_test=True)) != maes(first)
    # Dropout alone: norms still use their running statistics.
    network = loaded(generator).eval()
    assert isinstance(network, UNet)
    network.dropout.train()
    torch.manual_seed(1)
    assert maes(first) == pytest.approx(generator.mae(network), rel=1e-12)
    assert maes(first) != pytest.approx(maes(generator.measure()), rel=1e-3)


def test_instance_statistics_at_test_are_those_of_training_mode(generator: Tiny) -> None:
    """A network in training mode without dropout normalises each image by its own statistics."""
    network = loaded(generator).train()
    assert isinstance(network, UNet)
    network.dropout.p = 0.0
    expected = generator.mae(network)
    found = maes(generator.measure(instance_statistics_at_test=True))
    assert found == pytest.approx(expected, rel=1e-9)
    assert found != pytest.approx(maes(generator.measure()), rel=1e-3)


def test_what_a_quirk_leaves_on_does_not_outlive_it(generator: Tiny) -> None:
    network = loaded(generator)
    quirky = evaluation(dropout_at_test=True, instance_statistics_at_test=True)
    plain = generator.mae(network)
    score_translation._set_mode(network, quirky)
    assert generator.mae(network) != plain
    score_translation._set_mode(network, evaluation())
    assert generator.mae(network) == plain


@pytest.mark.parametrize(("affine_shared", "statistics_shared"), list(itertools.product((False, True), repeat=2)))
def test_a_norm_by_own_statistics_is_a_loop_over_images_and_channels(
    affine_shared: bool, statistics_shared: bool
) -> None:
    B, M, C = 3, 2, 4
    norm = ModalityNorm("instance", M, C, affine_shared=affine_shared, statistics_shared=statistics_shared).double()
    torch.manual_seed(0)
    shaken(norm)
    nn.init.normal_(norm.bias)
    statistics = [buffer.clone() for buffer in norm.buffers()]
    set_own_statistics(nn.ModuleList([norm]), True)
    x_BMCHW = torch.randn(B, M, C, 5, 6, dtype=torch.float64)
    found = norm.eval()(x_BMCHW)
    for b, m, c in itertools.product(range(B), range(M), range(C)):
        x_HW, row = x_BMCHW[b, m, c], 0 if affine_shared else m
        scaled_HW = (x_HW - x_HW.mean()) / (x_HW.var(correction=0) + EPS).sqrt()
        expected = scaled_HW * norm.weight[row, c] + norm.bias[row, c]
        torch.testing.assert_close(found[b, m, c], expected, rtol=0, atol=1e-12)
    for now, then in zip(norm.buffers(), statistics, strict=True):
        assert torch.equal(now, then), "running statistics are not updated"
    set_own_statistics(norm, False)
    assert not torch.allclose(norm(x_BMCHW), found)


def test_batch_norms_have_no_own_statistics() -> None:
    norm = ModalityNorm("batch", 2, 3, affine_shared=False, statistics_shared=False).eval()
    x_BMCHW = torch.randn(2, 2, 3, 4, 4)
    expected = norm(x_BMCHW)
    set_own_statistics(norm, True)
    assert torch.equal(norm(x_BMCHW), expected)


def test_stretching_is_a_loop_over_images() -> None:
    """The least value becomes 0, the greatest 255, whole numbers by cutting off, as the released code does."""
    image_BCHW = torch.rand(5, 3, 6, 7, generator=torch.Generator().manual_seed(2)) * 0.7 - 0.4
    image_BCHW[3] = 0.25  # of one value
    image_BCHW[4, 0, 0, 0] = 40.0  # far outside [-1, 1]
    found = stretch_to_uint8(image_BCHW).numpy()
    for number, image in enumerate(image_BCHW.numpy()):
        low, high = image.min(), image.max()
        expected = np.zeros_like(image) if low == high else (image - low) * np.float32(255) / (high - low)
        np.testing.assert_array_equal(found[number], expected.astype(np.uint8))
    by_hand = stretch_to_uint8(torch.tensor([-0.5, 0.0, 0.499, 1.5]).view(1, 1, 2, 2))
    assert by_hand.flatten().tolist() == [0, 63, 127, 255]  # 0, 63.75, 127.37, 255


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_stretching_what_is_no_number_is_an_error(value: float) -> None:
    image_BCHW = torch.zeros(2, 3, 4, 4)
    image_BCHW[1, 2, 3, 0] = value
    with pytest.raises(UserError, match="not numbers"):
        stretch_to_uint8(image_BCHW)


def test_stretched_images_change_fid_alone_and_keep_real_features_of_their_own(generator: Tiny) -> None:
    plain = generator.measure()
    cached = {path.name for path in generator.paths.features.glob("*.safetensors")}
    stretched = generator.measure(stretch_images=True)
    added = {path.name for path in generator.paths.features.glob("*.safetensors")} - cached
    assert len(added) == 1
    extractor = load_extractor("seeded-conv", generator.paths.weights, CPU)
    network = loaded(generator)
    with torch.inference_mode():
        pairs = [(network(x), y) for x, y in EvalBatches(generator.prepared, generator.cell.task, "val", 5)]
    (image_BSCHW, real_BCHW), *_ = pairs
    for number, stream in enumerate(stretched.metrics):
        for measured, to_bytes in ((plain, to_uint8), (stretched, stretch_to_uint8)):
            fakes = image_BSCHW[:, number]
            fake_ND, real_ND = (extractor.features(to_bytes(images)) for images in (fakes, real_BCHW))
            # float64 convolutions of one image or of five may add in another order.
            assert measured.metrics[stream]["fid"] == pytest.approx(fid.frechet_distance(fake_ND, real_ND), rel=1e-6)
        assert stretched.metrics[stream]["fid"] != pytest.approx(plain.metrics[stream]["fid"], rel=1e-2)
        for name in ("mae_x10", "rmse_x10", "mse_x10"):
            assert stretched.metrics[stream][name] == plain.metrics[stream][name]
    assert stretched.samples == plain.samples, "pictures show what was generated"
    assert generator.measure().metrics == plain.metrics, "each finds its own real features again"


# ---------------------------------------------------------------- several scales, and mirror images


class HalfSize(nn.Module):
    """Stands in for a segmentation network: logits of two streams at half size, not the same for a mirror image."""

    def __init__(self, modalities: int, classes: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(4)
        self.kernel = 0.1 * torch.randn(2 * classes, 3 * modalities, 3, 3, generator=generator)
        self.seen: list[Tensor] = []

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        self.seen.append(x_BMCHW)
        return F.conv2d(x_BMCHW.flatten(1, 2), self.kernel, stride=2, padding=1).unflatten(1, (2, -1))


def seen_at(x_BMCHW: Tensor, names: list[str], size: tuple[int, int], mirrored: bool) -> Tensor:
    """What a network is shown at this size: an image at a time."""
    shown = torch.empty(*x_BMCHW.shape[:3], *size)
    for b, m in itertools.product(range(len(x_BMCHW)), range(len(names))):
        if names[m].startswith("depth"):
            image = F.interpolate(x_BMCHW[b : b + 1, m], size, mode="nearest-exact")
        else:
            image = F.interpolate(x_BMCHW[b : b + 1, m], size, mode="bilinear", align_corners=False)
        if mirrored:
            image = torch.from_numpy(np.ascontiguousarray(image.numpy()[..., ::-1]))
            if names[m] == "normal":
                image[:, 0] *= -1
        shown[b, m] = image[0]
    return shown


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [(1.0,), (0.5,), (0.75, 1.0, 1.3)])
def test_probabilities_are_averaged_over_scales_and_mirror_images(scales: tuple[float, ...], flip: bool) -> None:
    task, H, W = Task.parse("rgb+depth+normal->semantic"), 10, 14
    x_BMCHW = torch.randn(2, 3, 3, H, W, generator=torch.Generator().manual_seed(1))
    network, oracle = HalfSize(3, 4), HalfSize(3, 4)
    asked = SegmentationEvaluation(batch_size=2, scales=scales, flip=flip)
    found = predicted_classes(network, x_BMCHW, task, asked)  # type: ignore[arg-type]
    total = torch.zeros(2, 2, 4, H, W, dtype=torch.float64)
    shown = []
    for scale in scales:
        size = round(H * scale), round(W * scale)
        for mirrored in (False, True)[: 1 + flip]:
            shown.append(seen_at(x_BMCHW, ["rgb", "depth", "normal"], size, mirrored))
            logits = oracle(shown[-1])
            logits = torch.from_numpy(logits.numpy()[..., ::-1].copy()) if mirrored else logits
            for s in range(2):
                up = F.interpolate(logits[:, s], (H, W), mode="bicubic", align_corners=False)
                total[:, s] += torch.softmax(up.double(), 1) / (len(scales) * (1 + flip))
    assert len(network.seen) == len(shown)
    for one, other in zip(network.seen, shown, strict=True):
        torch.testing.assert_close(one, other)
    assert found.shape == (2, 2, H, W)
    # Float32 may turn a tie the other way; there are none so close here.
    margin = total.topk(2, dim=2).values.diff(dim=2).abs().min()
    assert margin > 1e-6
    assert torch.equal(found, total.argmax(2))


def test_a_single_scale_is_the_greatest_bicubic_logit_of_the_images_as_they_are() -> None:
    x_BMCHW = torch.randn(2, 1, 3, 9, 12, generator=torch.Generator().manual_seed(1))
    network = HalfSize(1, 5)
    asked = SegmentationEvaluation(batch_size=2)
    found = predicted_classes(network, x_BMCHW, Task.parse("rgb->semantic"), asked)  # type: ignore[arg-type]
    (shown,) = network.seen
    assert shown is x_BMCHW
    up = F.interpolate(network(x_BMCHW).flatten(0, 1), (9, 12), mode="bicubic", align_corners=False)
    assert torch.equal(found, up.argmax(1).unflatten(0, (2, 2)))


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    root = tmp_path_factory.mktemp("segmenter")
    network = SegmentationNet(head="refinenet", depth=18, width=4, decoder_width=4, pretrained=False)
    how = SegmentationEvaluation(batch_size=2, samples=1)
    cell = cell_of("rgb+depth->semantic", network, segmentation(), how, 32, 3)
    prepared = write_dataset(root, noise(("rgb", "depth_zbuffer", "semantic"), 5, 32), 2)
    trained = finish(root / "state", shaken(segmentation_training.build(cell, 10)), b"", 0, {"training_id": "none"})
    yield Tiny(cell, prepared, trained, Paths(root))


def test_the_score_of_a_selection_is_the_lowest_measured_fid(generator: Tiny) -> None:
    """Bit for bit: the score computes FID alone, `measure` everything."""
    for changes in ({}, {"stretch_images": True}, {"dropout_at_test": True, "instance_statistics_at_test": True}):
        setup = generator.setup(generator.otherwise(**changes))
        fids = [values["fid"] for values in generator.measure(**changes).metrics.values()]
        assert score_translation.score(setup)(loaded(generator)) == -min(fids)
        assert len(set(fids)) == len(fids), "the streams differ"


def test_the_score_of_a_selection_is_the_ensembles_single_scale_miou(segmenter: Tiny) -> None:
    single = segmenter.measure().metrics["ensemble"]["miou_pct"]
    for changes in ({}, {"scales": (0.5, 1.0), "flip": True}):
        setup = segmenter.setup(segmenter.otherwise(**changes))
        assert score_segmentation.score(setup)(loaded(segmenter)) == single


def test_a_cell_is_measured_at_the_scales_it_asks_for(segmenter: Tiny) -> None:
    network = loaded(segmenter)
    single = segmenter.measure().metrics
    for changes in ({"scales": (0.5, 1.0)}, {"flip": True}):
        found = segmenter.measure(**changes).metrics
        assert found != single
        cell = segmenter.otherwise(**changes)
        assert isinstance(cell.evaluation, SegmentationEvaluation)
        confusion = Confusion(cell.streams, 10, segmenter.prepared.void, CPU)
        for x_BMCHW, label_BHW in EvalBatches(segmenter.prepared, cell.task, "val", 2):
            with torch.inference_mode():
                confusion.update(predicted_classes(network, x_BMCHW, cell.task, cell.evaluation), label_BHW)
        for stream, scores in confusion_scores(confusion).items():
            assert {name: found[stream][name] for name in scores} == scores
    assert segmenter.measure(scales=(1.0,), flip=False).metrics == single


# ---------------------------------------------------------------- what is said of it


def lines_of(preset: Preset) -> str:
    """The lines under the tables of a preset that differs from `paper` in its parameters alone."""
    cells = load_plan(PARAMS, "paper").cells.values()
    return "\n".join(describe.protocol_lines(preset, cells))


def preset_with(part: str, changes: dict[str, Any]) -> Preset:
    """`paper` under a protocol called `mine`, with `changes` to one of its parts, e.g. `segmentation.protocol`."""
    content = load_preset(PARAMS, "paper").model_dump()
    for kind in ("segmentation", "translation"):
        content[kind]["protocol"]["name"] = "mine"
    kind, key = part.split(".")
    content[kind][key] |= changes
    return Preset.model_validate(content)


def test_every_quirk_has_words() -> None:
    assert set(describe.QUIRKS) == {quirk for _, quirk in ALL}
    assert len(set(describe.QUIRKS.values())) == len(describe.QUIRKS)


@pytest.mark.parametrize(("part", "quirk"), ALL)
def test_a_quirk_that_is_on_is_named_under_the_table_and_no_other(part: str, quirk: str) -> None:
    place = "translation.evaluation" if part == "evaluation" else f"{part}.protocol"
    said = lines_of(preset_with(place, {quirk: value_of(quirk, True)}))
    assert f"Protocol mine ({describe.QUIRKS[quirk]}): batch" in said
    assert said.count("(no quirks of the released code)") == 1, "the other kind of task has none"
    for other, words in describe.QUIRKS.items():
        assert (words in said) == (other == quirk)


def test_a_clean_table_names_no_quirk() -> None:
    said = lines_of(load_preset(PARAMS, "paper"))
    assert said.count("Protocol clean (no quirks of the released code): batch") == 2
    assert said.count("last checkpoint") == 2
    assert "Evaluation: single-scale; last checkpoint." in said
    assert "best on validation" not in said


def test_an_official_table_names_every_quirk() -> None:
    said = lines_of(load_preset(PARAMS, "paper-official"))
    for kind in ("SegmentationProtocol", "TranslationProtocol"):
        line = next(line for line in said.splitlines() if ("SGD" in line) == (kind == "SegmentationProtocol"))
        parts = PARTS["segmentation"] if kind == "SegmentationProtocol" else PARTS["translation"]
        quirks = [*parts.QUIRKS, *(PARTS["evaluation"].QUIRKS if kind == "TranslationProtocol" else ())]
        assert f"Protocol official ({', '.join(describe.QUIRKS[quirk] for quirk in quirks)}): batch" in line
        assert "best on validation every 5 epochs" in line
    assert "last checkpoint" not in said


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("segmentation.evaluation", {"scales": (0.75, 1, 1.25), "flip": True}, "scales 0.75, 1, 1.25 with mirror"),
        ("segmentation.evaluation", {"scales": (0.5, 2.0)}, "scales 0.5, 2;"),
        ("segmentation.evaluation", {"flip": True}, "Evaluation: scale 1 with mirror images;"),
        ("segmentation.protocol", {"selection": "best", "select_every_epochs": 1}, "best on validation every epoch."),
        ("translation.protocol", {"selection": "best", "select_every_epochs": 7}, "best on validation every 7 epochs."),
        ("segmentation.protocol", {"exchange_own_part_only": True}, "exchange only within each modality's own part): "),
        ("segmentation.network", {"head": "pspnet"}, "PSPNet on ResNet-101"),
    ],
)  # fmt: skip
def test_the_lines_name_what_was_set_and_nothing_else(part: str, changes: dict[str, Any], words: str) -> None:
    assert words in lines_of(preset_with(part, changes))
    assert words not in lines_of(load_preset(PARAMS, "paper"))


def test_the_official_preset_is_the_paper_preset_with_every_quirk() -> None:
    content = load_preset(PARAMS, "paper-official").model_dump()
    expected = load_preset(PARAMS, "paper").model_dump()
    assert set(content["tables"]) <= set(expected["tables"])
    for key in ("name", "description", "tables", "figures", "grid", "cost"):  # validations and second passes cost time
        expected[key] = content[key]
    for part, quirk in ALL:
        kind, key = ("translation", "evaluation") if part == "evaluation" else (part, "protocol")
        expected[kind]["protocol"]["name"] = "official"
        expected[kind][key][quirk] = value_of(quirk, True)
    assert content == expected
    assert content["segmentation"]["protocol"]["min_side_px"] == 350
    assert len(load_plan(PARAMS, "paper-official").cells) > 0


def test_the_document_names_every_quirk() -> None:
    text = (PARAMS.parent / "docs" / "protocols.md").read_text()
    for _, quirk in ALL:
        assert f"`{quirk}`" in text
    quirks = text.split("## Settings of `clean` that are decisions")[0]
    assert len(quirks.splitlines()) <= 50
    assert len(text.splitlines()) <= 100
