"""Pixel accuracy, mean accuracy and mean IoU, from one confusion matrix pooled over the set.

Source: paper.md#segmentation-evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cenbench.errors import UserError

KEYS = ("miou_pct", "pixel_acc_pct", "mean_acc_pct")


class SegmentationScores:
    """Counts on the device, in int64, one matrix an output stream; divides once, in float64, at the end.

    `void` pixels do not count. A class that is in neither the ground truth nor the prediction of the whole set is left
    out of the means, as `nanmean` in the released code does. Averaging IoU over images instead would be another metric.
    """

    def __init__(self, streams: Sequence[str], classes: int, void: int, device: torch.device) -> None:
        self._streams, self._classes, self._void = tuple(streams), classes, void
        cells = len(self._streams) * classes * classes
        # One more bin takes what does not count, so that nothing is indexed by a mask and the host never waits.
        self._counts = torch.zeros(cells + 1, dtype=torch.int64, device=device)
        self._wrong = torch.zeros((), dtype=torch.int64, device=device)

    def update(self, prediction_BSHW: Tensor, label_BHW: Tensor) -> None:
        """Add a batch: int64 classes predicted by each stream, and the labels."""
        K, S = self._classes, len(self._streams)
        label_BSHW = label_BHW[:, None].expand_as(prediction_BSHW).long()
        known = (label_BHW >= 0) & (label_BHW < K)
        self._wrong += (~known & (label_BHW != self._void)).sum()
        stream_S = torch.arange(S, device=label_BHW.device)[:, None, None]
        bins = (stream_S * K + label_BSHW) * K + prediction_BSHW
        bins = torch.where(known[:, None], bins, S * K * K)
        self._counts += torch.bincount(bins.flatten(), minlength=S * K * K + 1)

    def confusion_SKK(self) -> Tensor:
        """The pooled counts: `[stream, ground truth, prediction]`, int64 on the CPU."""
        K = self._classes
        return self._counts[:-1].cpu().view(len(self._streams), K, K)

    def compute(self) -> dict[str, dict[str, float]]:
        """stream -> metric -> percent. Raises `UserError` for labels out of range or a set without a label."""
        wrong = int(self._wrong)
        if wrong:
            raise UserError(
                f"{wrong} pixels have a label that is neither a class nor void",
                expected=f"0 to {self._classes - 1}, or {self._void}",
            )
        confusion_SKK = self.confusion_SKK().double()
        if not bool(confusion_SKK.sum((1, 2)).all()):
            raise UserError("no labelled pixel in the whole set", expected="at least one")
        return {name: compute(counts) for name, counts in zip(self._streams, confusion_SKK, strict=True)}


def compute(confusion_KK: Tensor) -> dict[str, float]:
    """The three scores, in percent, of one confusion matrix `[ground truth, prediction]` in float64."""
    hits = confusion_KK.diagonal()
    truth, predicted = confusion_KK.sum(1), confusion_KK.sum(0)
    iou = hits / (truth + predicted - hits)
    return {
        "miou_pct": 100 * iou.nanmean().item(),
        "pixel_acc_pct": 100 * (hits.sum() / confusion_KK.sum()).item(),
        "mean_acc_pct": 100 * (hits / truth).nanmean().item(),
    }
