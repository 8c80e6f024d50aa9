"""What a segmentation network predicts, and the score by which `selection: best` chooses its weights.

Separate from `cenbench.evaluate.segmentation` because with `best` this is training code: a change here trains those
cells again, a change of the sample pictures does not.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cenbench.data import transforms
from cenbench.data.batches import EvalBatches
from cenbench.errors import UserError
from cenbench.matrix.cell import ENSEMBLE, Task
from cenbench.matrix.specs import SegmentationEvaluation
from cenbench.matrix.stored_arrays import stored_name
from cenbench.metrics import miou_pct
from cenbench.metrics.inputs.confusion import Confusion
from cenbench.train.selection import Score
from cenbench.train.setup import Setup


def score(setup: Setup) -> Score:
    """Mean IoU of the ensemble at a single scale, percent, whatever scales the cell's evaluation uses."""
    cell, prepared, device = setup.cell, setup.prepared, setup.device
    single = SegmentationEvaluation(batch_size=cell.evaluation.batch_size)

    @torch.inference_mode()
    def ensemble_miou_pct(network: nn.Module) -> float:
        confusion = Confusion((ENSEMBLE,), setup.classes, prepared.void, device)
        for x_BMCHW, label_BHW in EvalBatches(prepared, cell.task, cell.evaluation.split, single.batch_size):
            classes_BSHW = predicted_classes(network, x_BMCHW.to(device), cell.task, single)
            confusion.update(classes_BSHW[:, -1:], label_BHW.to(device))
        return miou_pct.compute(confusion.pooled_SKK()[0].double())

    return ensemble_miou_pct


def predicted_classes(network: nn.Module, x_BMCHW: Tensor, task: Task, evaluation: SegmentationEvaluation) -> Tensor:
    """Classes of every stream at the images' size, int64 (B, S, H, W). Raises `UserError` for non-finite logits.

    Logits are resized by bicubic interpolation, as in the released evaluation (paper.md#segmentation-evaluation).
    Class probabilities are averaged over scales, and over images and their mirror images, one of them in memory at a
    time.
    """
    H, W = x_BMCHW.shape[-2:]
    if evaluation.scales == (1.0,) and not evaluation.flip:
        return _to_size(_finite(network(x_BMCHW)), (H, W)).argmax(2)
    total_BSKHW: Tensor | None = None
    for shown_BMChw, is_mirrored in _views(x_BMCHW, task, evaluation):
        logits_BSKhw = _finite(network(shown_BMChw))
        probability_BSKHW = _to_size(logits_BSKhw.flip(-1) if is_mirrored else logits_BSKhw, (H, W)).softmax(2)
        total_BSKHW = probability_BSKHW if total_BSKHW is None else total_BSKHW.add_(probability_BSKHW)
    assert total_BSKHW is not None  # there is at least one scale
    return total_BSKHW.argmax(2)  # sums and means have the same maximum


def _finite(logits_BSKhw: Tensor) -> Tensor:
    """The logits themselves. The largest of values that are not numbers would be a class like any other."""
    if not bool(logits_BSKhw.isfinite().all()):
        raise UserError(
            "the network's predictions are not finite",
            found="infinite values or NaN among the logits",
            fix="a smaller learning rate or lambda_l1, or float32 precision",
        )
    return logits_BSKhw


def _views(x_BMCHW: Tensor, task: Task, evaluation: SegmentationEvaluation) -> Iterator[tuple[Tensor, bool]]:
    """The images at each scale, mirrored too if the evaluation says so, each with whether it is mirrored."""
    names = [stored_name(token, task.kind) for token in task.inputs]
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
