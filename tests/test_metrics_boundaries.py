"""Thin classes, boundary IoU and errors near edges: against SciPy on images with shapes, and as sums over images."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from metric_references import REFERENCES
from scipy.ndimage import binary_erosion
from torch import Tensor

from cenbench.data.adapters import ADAPTERS, find_adapter
from cenbench.data.synthrooms.parts import CLASSES
from cenbench.data.thin_classes import THIN, thin_labels
from cenbench.evaluate.per_image import ConfusionCollector, PerImage, from_bytes, to_bytes
from cenbench.metrics import boundary_iou_pct, mae_x10
from cenbench.metrics.inputs.boundaries import Boundaries, boundary_width_px, inner_boundary
from cenbench.metrics.inputs.confusion import Confusion, with_others_merged
from cenbench.metrics.inputs.edges import Edges, edges
from cenbench.metrics.inputs.scores import boundary_scores, edge_scores, thin_scores
from cenbench.stats.images import image_weights, resampled_confusion, resampled_edges
from cenbench.stats.images import with_others_merged as merged_counts

CPU, VOID, STREAMS = torch.device("cpu"), 255, ("rgb", "ensemble")
THIN_LABELS = (1, 3)


def shapes(seed: int, images: int = 3, size: tuple[int, int] = (48, 80)) -> tuple[Tensor, Tensor]:
    """Predictions (N, 2, H, W), and labels of boxes on boxes with some void ones; a prediction is a label moved."""
    draw = np.random.default_rng(seed)
    label = np.zeros((images, *size), np.int64)
    for image in label:
        for shown in (1, 2, 3, 4, VOID, 2):
            top, left = draw.integers(0, size[0] - 8), draw.integers(0, size[1] - 8)
            image[top : top + draw.integers(3, 30), left : left + draw.integers(3, 30)] = shown
    moved = np.stack([np.roll(label, shift, axis=(1, 2)) for shift in ((1, 2), (0, 1))], axis=1)
    return torch.from_numpy(np.where(moved == VOID, 0, moved)), torch.from_numpy(label)


def rooms(seed: int, images: int = 4) -> tuple[Tensor, Tensor]:
    """Images (N, 2, 3, 32, 40) and targets: planes with steps between them."""
    draw = torch.Generator().manual_seed(seed)
    target = torch.linspace(-0.2, 0.1, 40).expand(images, 3, 32, 40).clone()
    target[:, :, 10:20, 5:18] += 0.3
    target[1:, :, :, 30:] -= 0.1
    noise = torch.rand(images, 2, 3, 32, 40, generator=draw) * torch.arange(1, images + 1)[:, None, None, None, None]
    return target[:, None] + 0.1 * noise, target


@pytest.mark.parametrize(("size", "width"), [((64, 64), 2), ((256, 256), 7), ((1024, 2048), 46), ((9, 9), 1)])
def test_the_boundary_is_two_percent_of_the_diagonal_wide(size: tuple[int, int], width: int) -> None:
    assert boundary_width_px(*size) == width


@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_boundary_is_what_erosions_of_each_class_take_away(width: int) -> None:
    _, label = shapes(1)
    found = inner_boundary(label, width)
    for image, boundary in zip(label.numpy(), found.numpy(), strict=True):
        for shown in np.unique(image):
            mask = np.pad(image == shown, 1)
            left = binary_erosion(mask, np.ones((3, 3)), iterations=width, border_value=1)[1:-1, 1:-1]
            assert np.array_equal(boundary & (image == shown), (image == shown) & ~left)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_boundary_iou_is_that_of_the_authors_definition(seed: int) -> None:
    prediction, label = shapes(seed)
    made = Boundaries(STREAMS, 5, VOID, CPU)
    made.update(prediction, label)
    for number, stream in enumerate(STREAMS):
        expected = REFERENCES["boundary_iou_pct"].compute(prediction[:, number], label, VOID)
        assert 5 < expected < 95
        # Ratios of equal integers in float64, summed in another order.
        assert boundary_scores(made)[stream]["boundary_iou_pct"] == pytest.approx(expected, rel=1e-12)


def test_a_moved_thin_object_costs_more_boundary_iou_than_a_moved_large_one() -> None:
    label = torch.zeros(1, 64, 64, dtype=torch.int64)
    label[:, 10:50, 5:8] = 1
    label[:, 10:50, 20:60] = 2
    made = Boundaries(("rgb",), 3, VOID, CPU)
    made.update(label.roll(1, 2)[:, None], label)
    [pooled] = made.pooled_SKK().double()
    thin, large = (boundary_iou_pct.compute(with_others_merged(pooled, [shown])) for shown in (1, 2))
    assert thin == pytest.approx(50.0), "two of four columns"
    assert large > thin


def test_no_thin_class_gives_no_number() -> None:
    made = Confusion(STREAMS, 5, VOID, CPU)
    made.update(torch.zeros(1, 2, 4, 4, dtype=torch.int64), torch.zeros(1, 4, 4, dtype=torch.int64))
    assert thin_scores(made, THIN_LABELS) == {"rgb": {}, "ensemble": {}}
    assert thin_scores(made, ()) == {"rgb": {}, "ensemble": {}}


def test_thin_classes_are_classes_of_their_dataset() -> None:
    of_dataset = {"synthrooms": CLASSES} | {name: find_adapter(name).CLASSES for name in ADAPTERS}
    for name, thin in THIN.items():
        assert len(thin_labels(name, of_dataset[name])) == len(thin) > 0
    assert thin_labels("tiny", ("chair",)) == ()


def test_edges_are_between_pixels_that_differ_in_any_channel() -> None:
    target = torch.zeros(1, 3, 4, 5)
    target[0, 2, :2, 3:] = 0.5
    found = edges(target, 0.25)[0]
    expected = [[0, 0, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    assert found.int().tolist() == expected
    assert not edges(target, 0.5).any(), "a step of exactly the threshold is none"


@pytest.mark.parametrize(("target", "is_edge"), [("depth", True), ("normal", False)])
def test_depth_has_finer_steps_than_other_targets(target: str, is_edge: bool) -> None:
    made = Edges(("rgb",), target)
    image = torch.zeros(1, 3, 16, 16)
    image[..., 8:] = 0.1
    made.update(image[:, None] + 0.5, image)
    assert (made.errors()["rgb"].near_count > 0) == is_edge


def test_errors_near_and_away_make_the_whole_error() -> None:
    image, target = rooms(1)
    made = Edges(STREAMS, "depth")
    for part in zip(image.split(3), target.split(3), strict=True):
        made.update(*part)
    for number, stream in enumerate(STREAMS):
        errors = made.errors()[stream]
        whole = mae_x10.values(image[:, number : number + 1], target)
        assert errors.near_count + errors.away_count == whole.numel()
        assert errors.near_total + errors.away_total == pytest.approx(whole.sum().item(), rel=1e-12)
        near = REFERENCES["mae_near_x10"].compute(image[:, number], target)
        assert edge_scores(made)[stream]["mae_near_x10"] == pytest.approx(near, rel=1e-12)


def test_a_target_without_edges_has_no_numbers() -> None:
    made = Edges(STREAMS, "depth")
    made.update(torch.zeros(2, 2, 3, 16, 16), torch.zeros(2, 3, 16, 16))
    assert edge_scores(made) == {"rgb": {}, "ensemble": {}}


def stored(seed: int) -> PerImage:
    """Sums per image, through the file."""
    prediction, label = shapes(seed, 4)
    image, target = rooms(seed)
    whole, near = ConfusionCollector(STREAMS, 5), ConfusionCollector(STREAMS, 6)
    whole.add(Confusion(STREAMS, 5, VOID, CPU).update(prediction, label).numpy())
    near.add(Boundaries(STREAMS, 5, VOID, CPU).update(prediction, label).numpy())
    errors = Edges(STREAMS, "depth")
    errors.update(image, target)
    scores = PerImage(4, whole.collected().confusion, {}, near.collected().confusion, errors.images(), THIN_LABELS)
    return from_bytes(to_bytes(scores))


def test_a_bootstrap_over_images_reads_the_metric_of_the_images_drawn() -> None:
    """From the file's sums, against the metric measured on the drawn images themselves."""
    scores = stored(5)
    assert (scores.images, scores.thin) == (4, THIN_LABELS)
    weights_RN = image_weights(4, resamples=3, seed=1)
    prediction, label = shapes(5, 4)
    image, target = rooms(5)
    for resample, times_N in enumerate(weights_RN):
        rows = np.repeat(np.arange(4), times_N.astype(int))
        confusion, boundaries, errors = (
            Confusion(STREAMS, 5, VOID, CPU), Boundaries(STREAMS, 5, VOID, CPU), Edges(STREAMS, "depth"),
        )  # fmt: skip
        confusion.update(prediction[rows], label[rows])
        boundaries.update(prediction[rows], label[rows])
        errors.update(image[rows], target[rows])
        expected = {
            **thin_scores(confusion, THIN_LABELS)["rgb"],
            **boundary_scores(boundaries)["rgb"],
            **edge_scores(errors)["rgb"],
        }
        dense = np.stack([scores.confusion["rgb"].pooled_KK(np.eye(4)[n]) for n in range(4)])
        near = np.stack([scores.boundaries["rgb"].pooled_KK(np.eye(4)[n]) for n in range(4)])
        found = {
            "thin_iou_pct": resampled_confusion("thin_iou_pct", merged_counts(dense, scores.thin), weights_RN),
            "boundary_iou_pct": resampled_confusion("boundary_iou_pct", near, weights_RN),
            "mae_near_x10": resampled_edges("mae_near_x10", scores.edges["rgb"], weights_RN),
            "mae_away_x10": resampled_edges("mae_away_x10", scores.edges["rgb"], weights_RN),
        }
        assert found.keys() == expected.keys()
        for name, values_R in found.items():
            assert values_R is not None
            assert values_R[resample] == pytest.approx(expected[name], rel=1e-9)


@pytest.mark.parametrize("labels", [np.array([5]), np.array([-1]), np.array([1.0]), np.array(1)])
def test_thin_labels_that_do_not_fit_are_refused(labels: np.ndarray) -> None:
    arrays = import_module("safetensors.numpy")
    document = arrays.load(to_bytes(stored(5))) | {"thin": labels}
    with pytest.raises(ValueError, match="thin"):
        from_bytes(arrays.save(document))
