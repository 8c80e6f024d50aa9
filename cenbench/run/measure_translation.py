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
from cenbench.nn.unet import UNet
from cenbench.run.inputs import input_pictures
from cenbench.run.network_cost import network_cost
from cenbench.run.paths import Paths
from cenbench.run.publish import Measured
from cenbench.run.samples import side_by_side
from cenbench.train.finished import Trained
from cenbench.train.translation import load


@torch.inference_mode()
def measure(cell: Cell, prepared: Prepared, trained: Trained, device: torch.device, paths: Paths) -> Measured:
    """Scores of every stream, parameter count, ensemble weights, and sample pictures.

    Raises `CellSkipped` where the feature extractor's weights are absent.
    """
    evaluation = cell.evaluation
    if not isinstance(evaluation, TranslationEvaluation):
        raise TypeError(f"{cell.id} is no translation cell")
    extractor = load_extractor(evaluation.extractor, paths.weights, device)
    real_ND = _real_features(cell, prepared, extractor, paths, stretched=evaluation.stretch_images)
    scores = TranslationScores(
        cell.streams,
        extractor,
        real_ND,
        evaluation.kid_subsets,
        evaluation.kid_subset_size,
        evaluation.kid_seed,
        to_bytes=stretch_to_uint8 if evaluation.stretch_images else to_uint8,
    )
    network = load(cell, trained, device)
    _set_mode(network, evaluation)
    torch.manual_seed(cell.seed)  # what dropout draws, where it is on: the same bytes each time
    samples: dict[str, bytes] = {}
    rows = prepared.indices("val")
    for x_BMCHW, y_BCHW in EvalBatches(prepared, cell.task, "val", evaluation.batch_size):
        image_BSCHW = network(x_BMCHW.to(device))
        scores.update(image_BSCHW, y_BCHW.to(device))
        for image_SCHW, y_CHW in zip(image_BSCHW, y_BCHW, strict=True):
            if len(samples) < evaluation.samples:
                inputs = input_pictures(prepared, cell.task, int(rows[len(samples)]))
                shown = [_picture(each) for each in (y_CHW, *image_SCHW)]
                samples[f"{len(samples):03d}.png"] = side_by_side([*inputs, *shown])
    parameters = network_cost(network, network.ensemble, cell.streams, (1, *x_BMCHW.shape[1:]))
    return Measured(metrics=scores.compute(), stand_in=scores.stand_in, parameters=parameters, samples=samples)


def _set_mode(network: UNet, evaluation: TranslationEvaluation) -> None:
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
