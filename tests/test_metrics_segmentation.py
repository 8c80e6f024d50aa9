"""Confusion counts and their metrics against torchmetrics and closed forms; void, absent classes, pooling, mistakes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cenbench.errors import UserError
from cenbench.metrics.inputs.confusion import Confusion
from cenbench.metrics.inputs.scores import confusion_scores
from cenbench.metrics.inputs.torchvision_shim import import_torchvision

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


def counted(batches: list[tuple[Tensor, Tensor]], classes: int, streams: tuple[str, ...] = ("rgb",)) -> Confusion:
    made = Confusion(streams, classes, VOID, CPU)
    for prediction_BSHW, label_BHW in batches:
        made.update(prediction_BSHW, label_BHW)
    return made


@pytest.mark.parametrize(("classes", "seed"), [(5, 4), (40, 5)])
def test_scores_are_those_of_torchmetrics(classes: int, seed: int) -> None:
    prediction_BSHW, label_BHW = draw(seed, 6, 1, classes, side=24)
    flat = (prediction_BSHW[:, 0].flatten(), label_BHW.flatten())
    given = {"num_classes": classes, "ignore_index": VOID}
    found = confusion_scores(counted([(prediction_BSHW, label_BHW)], classes))["rgb"]
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
    found = counted([(prediction_BSHW, label_BHW)], 7).pooled_SKK()[0]
    assert torch.equal(found, expected)
    assert not torch.equal(found, found.T), "a symmetric matrix could not tell truth from prediction"


def test_void_pixels_do_not_count_whatever_is_predicted_there() -> None:
    prediction_BSHW, label_BHW = draw(7, 2, 2, 4)
    other = prediction_BSHW.clone()
    hidden = (label_BHW == VOID)[:, None].expand_as(other)
    assert hidden.any()
    other[hidden] = (other[hidden] + 1) % 4
    found = [counted([(predicted, label_BHW)], 4, ("a", "b")) for predicted in (prediction_BSHW, other)]
    assert torch.equal(found[0].pooled_SKK(), found[1].pooled_SKK())
    assert int(found[0].pooled_SKK()[0].sum()) == int((label_BHW != VOID).sum())


def test_absent_classes_are_dropped_from_the_means() -> None:
    """Closed form. Class 2 is nowhere: in no mean. Class 3 is only predicted: IoU 0, and no recall."""
    label_BHW = torch.tensor([[[0, 0, 0, 1]]])
    prediction_BSHW = torch.tensor([[[[0, 0, 3, 1]]]])
    found = confusion_scores(counted([(prediction_BSHW, label_BHW)], 4))["rgb"]
    # IoU: 2/3, 1, 0; recall: 2/3, 1. Exact up to one rounding of float64.
    expected = {
        "miou_pct": 100 * (5 / 3) / 3,
        "fwiou_pct": 100 * (3 / 4 * 2 / 3 + 1 / 4),
        "pixel_acc_pct": 75.0,
        "mean_acc_pct": 100 * (5 / 3) / 2,
    }
    assert found == pytest.approx(expected, abs=1e-12)


def test_each_image_has_its_own_counts_and_the_pooled_ones_are_their_sum() -> None:
    prediction_BSHW, label_BHW = draw(11, 4, 2, 5)
    made = Confusion(("rgb", "depth"), 5, VOID, CPU)
    counts_BSKK = made.update(prediction_BSHW, label_BHW)
    for number in range(4):
        alone = counted([(prediction_BSHW[[number]], label_BHW[[number]])], 5, ("rgb", "depth"))
        assert torch.equal(counts_BSKK[number], alone.pooled_SKK())
    assert torch.equal(counts_BSKK.sum(0), made.pooled_SKK())
    assert not torch.equal(counts_BSKK[0], counts_BSKK[1])


def test_counts_are_pooled_over_batches_of_any_size() -> None:
    prediction_BSHW, label_BHW = draw(8, 7, 2, 6)
    whole = counted([(prediction_BSHW, label_BHW)], 6, ("rgb", "depth"))
    pieces = list(zip(prediction_BSHW.split([4, 1, 2]), label_BHW.split([4, 1, 2]), strict=True))
    split = counted(pieces, 6, ("rgb", "depth"))
    assert torch.equal(whole.pooled_SKK(), split.pooled_SKK())
    assert confusion_scores(whole) == confusion_scores(split)


def test_scores_are_not_means_over_images() -> None:
    """One image right in its one labelled pixel, one wrong in its four: pooled 1 of 5, averaged 1 of 2."""
    first = torch.full((1, 2, 2), VOID)
    first[0, 0, 0] = 0
    second = torch.zeros(1, 2, 2, dtype=torch.int64)
    batches = [(torch.zeros(1, 1, 2, 2, dtype=torch.int64), first), (torch.ones(1, 1, 2, 2, dtype=torch.int64), second)]
    found = confusion_scores(counted(batches, 2))["rgb"]
    # IoU of class 0 is 1/5, of class 1 (only predicted) 0.
    expected = {"miou_pct": 10.0, "fwiou_pct": 20.0, "pixel_acc_pct": 20.0, "mean_acc_pct": 20.0}
    assert found == pytest.approx(expected, abs=1e-12)


def test_each_stream_has_its_own_scores() -> None:
    prediction_BSHW, label_BHW = draw(9, 3, 3, 5)
    names = ("rgb", "depth", "ensemble")
    found = confusion_scores(counted([(prediction_BSHW, label_BHW)], 5, names))
    assert list(found) == list(names)
    for number, name in enumerate(names):
        alone = confusion_scores(counted([(prediction_BSHW[:, number : number + 1], label_BHW)], 5))["rgb"]
        assert found[name] == alone
    assert len({values["miou_pct"] for values in found.values()}) == 3, "equal streams could not show a mix-up"


@pytest.mark.parametrize("wrong", [5, -1, 254, 256])
def test_a_label_out_of_range_is_an_error(wrong: int) -> None:
    prediction_BSHW, label_BHW = draw(10, 2, 2, 5)
    label_BHW[1, 3, 4] = wrong
    made = counted([(prediction_BSHW, label_BHW)], 5, ("rgb", "depth"))
    with pytest.raises(UserError, match=r"^1 pixels have a label") as caught:
        confusion_scores(made)
    assert caught.value.expected == "0 to 4, or 255"


def test_a_split_without_labels_is_an_error() -> None:
    made = counted([(torch.zeros(1, 1, 2, 2, dtype=torch.int64), torch.full((1, 2, 2), VOID))], 3)
    with pytest.raises(UserError, match="no labelled pixel"):
        confusion_scores(made)
