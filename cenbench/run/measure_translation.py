"""Evaluating a translation cell: FID, KID, MAE and root MSE of every output stream, over the validation split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from cenbench.data.batches import EvalBatches
from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import TranslationEvaluation
from cenbench.metrics.extractors import Extractor, load_extractor
from cenbench.metrics.images import to_uint8
from cenbench.metrics.reference_features import reference_features
from cenbench.metrics.translation import TranslationScores
from cenbench.nn.parameters import count_parameters
from cenbench.run.inputs import input_pictures
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
    real_ND = _real_features(cell, prepared, extractor, paths)
    scores = TranslationScores(
        cell.task.streams,
        extractor,
        real_ND,
        evaluation.kid_subsets,
        evaluation.kid_subset_size,
        evaluation.kid_seed,
    )
    network = load(cell, trained, device)
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
    weights = dict(zip(cell.task.inputs, network.ensemble.weights_M().tolist(), strict=True))
    parameters = {"total": count_parameters(network), "ensemble_weights": weights}
    return Measured(metrics=scores.compute(), stand_in=scores.stand_in, parameters=parameters, samples=samples)


def _real_features(cell: Cell, prepared: Prepared, extractor: Extractor, paths: Paths) -> Tensor:
    """Features of the real target images, computed once a dataset, target and extractor."""

    def batches() -> Iterator[Tensor]:
        for _, y_BCHW in EvalBatches(prepared, cell.task, "val", cell.evaluation.batch_size):
            yield to_uint8(y_BCHW)

    key = {"dataset": prepared.digest, "target": cell.task.target, "split": "val"}
    return reference_features(paths.features, key, extractor, batches)


def _picture(image_CHW: Tensor) -> np.ndarray:
    return to_uint8(image_CHW[None])[0].permute(1, 2, 0).cpu().numpy()
