"""Segmentation scores against torchmetrics and a loop over pixels: void, absent classes, pooling, streams, mistakes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cenbench.errors import UserError
from cenbench.metrics.segmentation import KEYS, SegmentationScores
from cenbench.metrics.torchvision_shim import import_torchvision

import_torchvision()  # torchmetrics imports torchvision
from torchmetrics.classification import (  # noqa: E402
    MulticlassConfusionMatrix,
    MulticlassJaccardIndex,
    MulticlassRecall,
)

CPU = torch.device("cpu")
VOID = 255
# Ratios of the same integer counts, taken in float64 here and in float32 by torchmetrics.
FLOAT32_PCT = 1e-4


def draw(seed: int, B: int, S: int, classes: int, side: int = 9) -> tuple[Tensor, Tensor]:
    """Predictions right in two pixels of three, and labels with a tenth of void."""
    generator = torch.Generator().manual_seed(seed)
    label_BHW = torch.randint(0, classes, (B, side, side), generator=generator)
    prediction_BSHW = torch.randint(0, classes, (B, S, side, side), generator=generator)
    right = torch.rand(prediction_BSHW.shape, generator=generator) < 2 / 3
    prediction_BSHW = torch.where(right, label_BHW[:, None], prediction_BSHW)
    label_BHW[torch.rand(label_BHW.shape, generator=generator) < 0.1] = VOID
    return prediction_BSHW, label_BHW


def scores(
    batches: list[tuple[Tensor, Tensor]], classes: int, streams: tuple[str, ...] = ("rgb",)
) -> SegmentationScores:
    made = SegmentationScores(streams, classes, VOID, CPU)
    for prediction_BSHW, label_BHW in batches:
        made.update(prediction_BSHW, label_BHW)
    return made


def by_hand(prediction: Tensor, label: Tensor, classes: int) -> dict[str, float]:
    """The three scores in percent, from one visit a pixel and Python's arithmetic."""
    hit, of_truth, of_prediction = [0] * classes, [0] * classes, [0] * classes
    for guess, truth in zip(prediction.flatten().tolist(), label.flatten().tolist(), strict=True):
        if truth == VOID:
            continue
        of_truth[truth] += 1
        of_prediction[guess] += 1
        hit[truth] += guess == truth
    unions = [a + b - c for a, b, c in zip(of_truth, of_prediction, hit, strict=True)]
    ious = [c / union for c, union in zip(hit, unions, strict=True) if union]
    recalls = [c / n for c, n in zip(hit, of_truth, strict=True) if n]
    values = (math.fsum(ious) / len(ious), sum(hit) / sum(of_truth), math.fsum(recalls) / len(recalls))
    return {key: 100 * value for key, value in zip(KEYS, values, strict=True)}


@pytest.mark.parametrize(("classes", "seed"), [(2, 1), (5, 2), (40, 3)])
def test_scores_are_those_of_a_loop_over_pixels(classes: int, seed: int) -> None:
    batch = draw(seed, 3, 1, classes)
    expected = by_hand(batch[0][:, 0], batch[1], classes)
    # Both are float64 ratios of equal integers, summed in another order.
    assert scores([batch], classes).compute()["rgb"] == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(("classes", "seed"), [(5, 4), (40, 5)])
def test_scores_are_those_of_torchmetrics(classes: int, seed: int) -> None:
    prediction_BSHW, label_BHW = draw(seed, 6, 1, classes, side=24)
    flat = (prediction_BSHW[:, 0].flatten(), label_BHW.flatten())
    given = {"num_classes": classes, "ignore_index": VOID}
    found = scores([(prediction_BSHW, label_BHW)], classes).compute()["rgb"]
    assert found["miou_pct"] == pytest.approx(100 * float(MulticlassJaccardIndex(**given)(*flat)), abs=FLOAT32_PCT)
    pixel = MulticlassRecall(average="micro", **given)
    assert found["pixel_acc_pct"] == pytest.approx(100 * float(pixel(*flat)), abs=FLOAT32_PCT)
    # Every class is in these labels; where one is not, torchmetrics counts its recall as 0 and the paper leaves it out.
    assert set(range(classes)) <= set(label_BHW.flatten().tolist())
    mean = MulticlassRecall(average="macro", **given)
    assert found["mean_acc_pct"] == pytest.approx(100 * float(mean(*flat)), abs=FLOAT32_PCT)


def test_confusion_has_truth_in_rows_as_torchmetrics() -> None:
    prediction_BSHW, label_BHW = draw(6, 2, 1, 7)
    expected = MulticlassConfusionMatrix(7, ignore_index=VOID)(prediction_BSHW[:, 0].flatten(), label_BHW.flatten())
    found = scores([(prediction_BSHW, label_BHW)], 7).confusion_SKK()[0]
    assert torch.equal(found, expected)
    assert not torch.equal(found, found.T), "a symmetric matrix could not tell truth from prediction"


def test_void_pixels_count_for_nothing_whatever_is_predicted_there() -> None:
    prediction_BSHW, label_BHW = draw(7, 2, 2, 4)
    other = prediction_BSHW.clone()
    hidden = (label_BHW == VOID)[:, None].expand_as(other)
    assert hidden.any()
    other[hidden] = (other[hidden] + 1) % 4
    found = [scores([(each, label_BHW)], 4, ("a", "b")) for each in (prediction_BSHW, other)]
    assert torch.equal(found[0].confusion_SKK(), found[1].confusion_SKK())
    assert int(found[0].confusion_SKK()[0].sum()) == int((label_BHW != VOID).sum())


def test_absent_classes_are_dropped_from_the_means() -> None:
    """Closed form. Class 2 is nowhere: in no mean. Class 3 is only predicted: IoU 0, and no recall."""
    label_BHW = torch.tensor([[[0, 0, 0, 1]]])
    prediction_BSHW = torch.tensor([[[[0, 0, 3, 1]]]])
    found = scores([(prediction_BSHW, label_BHW)], 4).compute()["rgb"]
    # IoU: 2/3, 1, 0; recall: 2/3, 1. Exact up to one rounding of float64.
    expected = {"miou_pct": 100 * (5 / 3) / 3, "pixel_acc_pct": 75.0, "mean_acc_pct": 100 * (5 / 3) / 2}
    assert found == pytest.approx(expected, abs=1e-12)


def test_counts_are_pooled_over_batches_of_any_size() -> None:
    prediction_BSHW, label_BHW = draw(8, 7, 2, 6)
    whole = scores([(prediction_BSHW, label_BHW)], 6, ("rgb", "depth"))
    pieces = list(zip(prediction_BSHW.split([4, 1, 2]), label_BHW.split([4, 1, 2]), strict=True))
    split = scores(pieces, 6, ("rgb", "depth"))
    assert torch.equal(whole.confusion_SKK(), split.confusion_SKK())
    assert whole.compute() == split.compute()


def test_it_is_not_the_mean_over_images() -> None:
    """One image all right with one labelled pixel, one all wrong with four: pooled 1 of 5, averaged 1 of 2."""
    first = torch.full((1, 2, 2), VOID)
    first[0, 0, 0] = 0
    second = torch.zeros(1, 2, 2, dtype=torch.int64)
    batches = [(torch.zeros(1, 1, 2, 2, dtype=torch.int64), first), (torch.ones(1, 1, 2, 2, dtype=torch.int64), second)]
    found = scores(batches, 2).compute()["rgb"]
    # IoU of class 0 is 1/5, of class 1 (only predicted) 0.
    assert found == pytest.approx({"miou_pct": 10.0, "pixel_acc_pct": 20.0, "mean_acc_pct": 20.0}, abs=1e-12)


def test_each_stream_has_scores_of_its_own() -> None:
    prediction_BSHW, label_BHW = draw(9, 3, 3, 5)
    names = ("rgb", "depth", "ensemble")
    found = scores([(prediction_BSHW, label_BHW)], 5, names).compute()
    assert list(found) == list(names)
    for number, name in enumerate(names):
        alone = scores([(prediction_BSHW[:, number : number + 1], label_BHW)], 5).compute()["rgb"]
        assert found[name] == alone
    assert len({values["miou_pct"] for values in found.values()}) == 3, "equal streams could not show a mix-up"


@pytest.mark.parametrize("wrong", [5, -1, 254, 256])
def test_a_label_out_of_range_is_an_error(wrong: int) -> None:
    prediction_BSHW, label_BHW = draw(10, 2, 2, 5)
    label_BHW[1, 3, 4] = wrong
    made = scores([(prediction_BSHW, label_BHW)], 5, ("rgb", "depth"))
    with pytest.raises(UserError, match=r"^1 pixels have a label") as caught:
        made.compute()
    assert caught.value.expected == "0 to 4, or 255"


def test_a_set_without_labels_is_an_error() -> None:
    made = scores([(torch.zeros(1, 1, 2, 2, dtype=torch.int64), torch.full((1, 2, 2), VOID))], 3)
    with pytest.raises(UserError, match="no labelled pixel"):
        made.compute()
