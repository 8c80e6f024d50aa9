"""Confusion counts of predicted and true classes, for the metrics that need them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cenbench.errors import UserError


class Confusion:
    """Counts on the device, in int64, one matrix for each output stream, pooled over the split.

    Pixels labelled `void` do not count.
    """

    def __init__(self, streams: Sequence[str], classes: int, void: int, device: torch.device) -> None:
        self.streams, self._classes, self._void = tuple(streams), classes, void
        self._pooled_SKK = torch.zeros(len(self.streams), classes, classes, dtype=torch.int64, device=device)
        self._wrong = torch.zeros((), dtype=torch.int64, device=device)

    def update(self, prediction_BSHW: Tensor, label_BHW: Tensor) -> Tensor:
        """Add a batch: int64 classes predicted by each stream, and the labels.

        Returns each image's own counts, int64 (B, S, K, K): `[image, stream, ground truth, prediction]`.
        """
        B, S, K = *prediction_BSHW.shape[:2], self._classes
        label_BSHW = label_BHW[:, None].expand_as(prediction_BSHW).long()
        known = (label_BHW >= 0) & (label_BHW < K)
        self._wrong += (~known & (label_BHW != self._void)).sum()
        place_BS = torch.arange(B * S, device=label_BHW.device).view(B, S, 1, 1)
        bins = (place_BS * K + label_BSHW) * K + prediction_BSHW
        # One more bin takes what does not count, so that nothing is indexed by a mask and the host never waits.
        bins = torch.where(known[:, None], bins, B * S * K * K)
        counts_BSKK = torch.bincount(bins.flatten(), minlength=B * S * K * K + 1)[:-1].view(B, S, K, K)
        self._pooled_SKK += counts_BSKK.sum(0)
        return counts_BSKK

    def pooled_SKK(self) -> Tensor:
        """The counts of the split: `[stream, ground truth, prediction]`, int64 on the CPU.

        Raises `UserError` for labels out of range, or a split without a labelled pixel.
        """
        wrong = int(self._wrong)
        if wrong:
            raise UserError(
                f"{wrong} pixels have a label that is neither a class nor void",
                expected=f"0 to {self._classes - 1}, or {self._void}",
            )
        pooled_SKK = self._pooled_SKK.cpu()
        if not bool(pooled_SKK.sum((1, 2)).all()):
            raise UserError("no labelled pixel in the whole set", expected="at least one")
        return pooled_SKK


def with_others_merged(confusion_KK: Tensor, labels: Sequence[int]) -> Tensor:
    """The counts of these classes, in their order, and of all others as one class, the last: (L + 1, L + 1)."""
    place_K = torch.full((len(confusion_KK),), len(labels))
    place_K[list(labels)] = torch.arange(len(labels))
    merged_LL = confusion_KK.new_zeros(len(labels) + 1, len(labels) + 1)
    return merged_LL.index_put_((place_K[:, None], place_K[None]), confusion_KK, accumulate=True)


def class_iou(confusion_KK: Tensor) -> Tensor:
    """IoU of each class, 0..1, of float64 counts `[ground truth, prediction]`.

    NaN for a class that is neither in the ground truth nor predicted.
    """
    hits = confusion_KK.diagonal()
    return hits / (confusion_KK.sum(1) + confusion_KK.sum(0) - hits)
