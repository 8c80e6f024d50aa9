"""What a segmentation network predicts, and the one number by which `selection: best` goes.

Apart from `measure_segmentation`, because with `best` this is training code, and drawing sample pictures is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.data import transforms
from cenbench.data.batches import EvalBatches
from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import ENSEMBLE, Cell, Task
from cenbench.matrix.specs import SegmentationEvaluation
from cenbench.metrics.segmentation import SegmentationScores
from cenbench.train.selection import Score


def validation_score(cell: Cell, prepared: Prepared, device: torch.device, weights: Path, features: Path) -> Score:
    """What `selection: best` goes by: mean IoU of the ensemble at a single scale, whatever the cell's evaluation is."""
    single = SegmentationEvaluation(batch_size=cell.evaluation.batch_size)

    @torch.inference_mode()
    def score(network: nn.Module) -> float:
        scores = SegmentationScores(cell.streams, len(prepared.classes), prepared.void, device)
        for x_BMCHW, label_BHW in EvalBatches(prepared, cell.task, "val", single.batch_size):
            scores.update(predict(network, x_BMCHW.to(device), cell.task, single), label_BHW.to(device))
        return scores.compute()[ENSEMBLE]["miou_pct"]

    return score


def predict(network: nn.Module, x_BMCHW: Tensor, task: Task, evaluation: SegmentationEvaluation) -> Tensor:
    """Classes of every stream at the images' size, int64 (B, S, H, W).

    Logits are brought to that size by bicubic interpolation, as the released evaluation does
    (paper.md#segmentation-evaluation). Of several scales, and of images and their mirror images, the class
    probabilities are averaged; one is held at a time.
    """
    H, W = x_BMCHW.shape[-2:]
    if evaluation.scales == (1.0,) and not evaluation.flip:
        return _to_size(network(x_BMCHW), (H, W)).argmax(2)
    total_BSKHW: Tensor | None = None
    for shown_BMChw, is_mirrored in _views(x_BMCHW, task, evaluation):
        logits_BSKhw = network(shown_BMChw)
        probability_BSKHW = _to_size(logits_BSKhw.flip(-1) if is_mirrored else logits_BSKhw, (H, W)).softmax(2)
        total_BSKHW = probability_BSKHW if total_BSKHW is None else total_BSKHW.add_(probability_BSKHW)
    assert total_BSKHW is not None  # there is at least one scale
    return total_BSKHW.argmax(2)  # the greatest sum is the greatest mean


def _views(x_BMCHW: Tensor, task: Task, evaluation: SegmentationEvaluation) -> Iterator[tuple[Tensor, bool]]:
    """The images at each scale, and their mirror images where asked for; whether they are mirrored."""
    names = [transforms.stored_name(token, task.kind) for token in task.inputs]
    H, W = x_BMCHW.shape[-2:]
    for scale in evaluation.scales:
        size = max(1, round(H * scale)), max(1, round(W * scale))
        scaled = [transforms.resized(x_BMCHW[:, m], size, name) for m, name in enumerate(names)]
        yield torch.stack(scaled, dim=1), False
        if evaluation.flip:
            turned = [transforms.mirrored(x_BCHW, name) for x_BCHW, name in zip(scaled, names, strict=True)]
            yield torch.stack(turned, dim=1), True


def _to_size(logits_BSKhw: Tensor, size: tuple[int, int]) -> Tensor:
    B, S = logits_BSKhw.shape[:2]
    up = F.interpolate(logits_BSKhw.flatten(0, 1), size=size, mode="bicubic", align_corners=False)
    return torch.unflatten(up, 0, (B, S))
