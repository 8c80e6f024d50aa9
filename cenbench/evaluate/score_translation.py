"""What a translation network generates, its scores, and the one number by which `selection: best` goes.

Apart from `measure_translation`, because with `best` this is training code, and drawing sample pictures is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from cenbench.data.batches import EvalBatches
from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import TranslationEvaluation
from cenbench.metrics import extractors
from cenbench.metrics.extractors import Extractor, load_extractor
from cenbench.metrics.images import stretch_to_uint8, to_uint8
from cenbench.metrics.reference_features import reference_features
from cenbench.metrics.translation import TranslationScores
from cenbench.nn.norm import set_own_statistics
from cenbench.pretrained.catalog import INCEPTION_FILE
from cenbench.train.selection import Score


def check_installed(cell: Cell, weights: Path) -> None:
    """Raises `CellSkipped` where what measures the cell is absent: asked before hours of training."""
    extractors.check_installed(_evaluation(cell).extractor, weights / INCEPTION_FILE)


def validation_score(cell: Cell, prepared: Prepared, device: torch.device, weights: Path, features: Path) -> Score:
    """What `selection: best` goes by: the lowest FID of any output, negated so that higher is better.

    Source: paper.md#translation-evaluation.
    """

    @torch.inference_mode()
    def score(network: nn.Module) -> float:
        scores = new_scores(cell, prepared, device, weights, features)
        for image_BSCHW, y_BCHW in generated(network, cell, prepared, device):
            scores.update(image_BSCHW, y_BCHW)
        return -min(values["fid"] for values in scores.compute().values())

    return score


def _evaluation(cell: Cell) -> TranslationEvaluation:
    if not isinstance(cell.evaluation, TranslationEvaluation):
        raise TypeError(f"{cell.id} is no translation cell")
    return cell.evaluation


def new_scores(
    cell: Cell, prepared: Prepared, device: torch.device, weights: Path, features: Path
) -> TranslationScores:
    """Scores without an image yet. Raises `CellSkipped` where the feature extractor's weights are absent."""
    evaluation = _evaluation(cell)
    extractor = load_extractor(evaluation.extractor, weights / INCEPTION_FILE, device)
    return TranslationScores(
        cell.streams,
        extractor,
        _real_features(cell, prepared, extractor, features, stretched=evaluation.stretch_images),
        evaluation.kid_subsets,
        evaluation.kid_subset_size,
        evaluation.kid_seed,
        to_bytes=stretch_to_uint8 if evaluation.stretch_images else to_uint8,
    )


def generated(
    network: nn.Module, cell: Cell, prepared: Prepared, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """(image_BSCHW, y_BCHW) of the validation split, the network in the mode this evaluation wants."""
    _set_mode(network, _evaluation(cell))
    torch.manual_seed(cell.seed)  # what dropout draws, where it is on: the same bytes each time
    for x_BMCHW, y_BCHW in EvalBatches(prepared, cell.task, "val", cell.evaluation.batch_size):
        yield network(x_BMCHW.to(device)), y_BCHW.to(device)


def _set_mode(network: nn.Module, evaluation: TranslationEvaluation) -> None:
    """Evaluation mode, less what this evaluation leaves as in training."""
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.train(evaluation.dropout_at_test)
    set_own_statistics(network, evaluation.instance_statistics_at_test)


def _real_features(cell: Cell, prepared: Prepared, extractor: Extractor, features: Path, *, stretched: bool) -> Tensor:
    """Features of the real target images, computed once a dataset, target, extractor and way of making bytes."""

    def batches() -> Iterator[Tensor]:
        for _, y_BCHW in EvalBatches(prepared, cell.task, "val", cell.evaluation.batch_size):
            yield stretch_to_uint8(y_BCHW) if stretched else to_uint8(y_BCHW)

    key = {"dataset": prepared.digest, "target": cell.task.target, "split": "val"}
    if stretched:
        key["pixels"] = "stretched"
    return reference_features(features, key, extractor, batches)
