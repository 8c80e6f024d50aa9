"""Evaluating a translation cell: FID, KID, MAE and root MSE of every output stream, over the validation split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from cenbench.data.batches import EvalBatches
from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import TranslationEvaluation
from cenbench.metrics.extractors import Extractor, load_extractor
from cenbench.metrics.images import stretch_to_uint8, to_uint8
from cenbench.metrics.reference_features import reference_features
from cenbench.metrics.translation import TranslationScores
from cenbench.nn.norm import set_own_statistics
from cenbench.run.inputs import input_pictures
from cenbench.run.network_cost import network_cost
from cenbench.run.paths import Paths
from cenbench.run.publish import Measured
from cenbench.run.samples import side_by_side
from cenbench.train.finished import Trained
from cenbench.train.selection import Score
from cenbench.train.translation import load


@torch.inference_mode()
def measure(cell: Cell, prepared: Prepared, trained: Trained, device: torch.device, paths: Paths) -> Measured:
    """Scores of every stream, parameter count, ensemble weights, and sample pictures.

    Raises `CellSkipped` where the feature extractor's weights are absent.
    """
    scores = _scores(cell, prepared, device, paths)
    network = load(cell, trained, device)
    samples: dict[str, bytes] = {}
    rows = prepared.indices("val")
    for image_BSCHW, y_BCHW in _generated(network, cell, prepared, device):
        scores.update(image_BSCHW, y_BCHW)
        for image_SCHW, y_CHW in zip(image_BSCHW, y_BCHW, strict=True):
            if len(samples) < cell.evaluation.samples:
                inputs = input_pictures(prepared, cell.task, int(rows[len(samples)]))
                shown = [_picture(each) for each in (y_CHW, *image_SCHW)]
                samples[f"{len(samples):03d}.png"] = side_by_side([*inputs, *shown])
    shape = (1, len(cell.task.inputs), *y_BCHW.shape[1:])
    parameters = network_cost(network, network.ensemble, cell.streams, shape)
    return Measured(metrics=scores.compute(), stand_in=scores.stand_in, parameters=parameters, samples=samples)


def validation_score(cell: Cell, prepared: Prepared, device: torch.device, paths: Paths) -> Score:
    """What `selection: best` goes by: the lowest FID of any output, negated so that higher is better (facts 2b)."""

    @torch.inference_mode()
    def score(network: nn.Module) -> float:
        scores = _scores(cell, prepared, device, paths)
        for image_BSCHW, y_BCHW in _generated(network, cell, prepared, device):
            scores.update(image_BSCHW, y_BCHW)
        return -min(values["fid"] for values in scores.compute().values())

    return score


def _evaluation(cell: Cell) -> TranslationEvaluation:
    if not isinstance(cell.evaluation, TranslationEvaluation):
        raise TypeError(f"{cell.id} is no translation cell")
    return cell.evaluation


def _scores(cell: Cell, prepared: Prepared, device: torch.device, paths: Paths) -> TranslationScores:
    evaluation = _evaluation(cell)
    extractor = load_extractor(evaluation.extractor, paths.weights, device)
    return TranslationScores(
        cell.streams,
        extractor,
        _real_features(cell, prepared, extractor, paths, stretched=evaluation.stretch_images),
        evaluation.kid_subsets,
        evaluation.kid_subset_size,
        evaluation.kid_seed,
        to_bytes=stretch_to_uint8 if evaluation.stretch_images else to_uint8,
    )


def _generated(
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


def _real_features(cell: Cell, prepared: Prepared, extractor: Extractor, paths: Paths, *, stretched: bool) -> Tensor:
    """Features of the real target images, computed once a dataset, target, extractor and way of making bytes."""

    def batches() -> Iterator[Tensor]:
        for _, y_BCHW in EvalBatches(prepared, cell.task, "val", cell.evaluation.batch_size):
            yield stretch_to_uint8(y_BCHW) if stretched else to_uint8(y_BCHW)

    key = {"dataset": prepared.digest, "target": cell.task.target, "split": "val"}
    if stretched:
        key["pixels"] = "stretched"
    return reference_features(paths.features, key, extractor, batches)


def _picture(image_CHW: Tensor) -> np.ndarray:
    return to_uint8(image_CHW[None])[0].permute(1, 2, 0).cpu().numpy()
