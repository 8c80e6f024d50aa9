"""Evaluating a translation cell: FID, KID, MAE and root MSE of every output stream, over the validation split."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cenbench.data.prepared import Prepared
from cenbench.evaluate.input_pictures import input_pictures
from cenbench.evaluate.measured import Measured
from cenbench.evaluate.network_cost import network_cost
from cenbench.evaluate.samples import side_by_side
from cenbench.evaluate.score_translation import generated, new_scores
from cenbench.matrix.cell import Cell
from cenbench.metrics.images import to_uint8
from cenbench.paths import Paths
from cenbench.train.trained import Trained
from cenbench.train.translation import load


@torch.inference_mode()
def measure(cell: Cell, prepared: Prepared, trained: Trained, device: torch.device, paths: Paths) -> Measured:
    """Scores of every stream, parameter count, ensemble weights, and sample pictures.

    Raises `CellSkipped` where the feature extractor's weights are absent.
    """
    scores = new_scores(cell, prepared, device, paths.weights, paths.features)
    network = load(cell, trained, device)
    samples: dict[str, bytes] = {}
    rows = prepared.indices("val")
    for image_BSCHW, y_BCHW in generated(network, cell, prepared, device):
        scores.update(image_BSCHW, y_BCHW)
        for image_SCHW, y_CHW in zip(image_BSCHW, y_BCHW, strict=True):
            if len(samples) < cell.evaluation.samples:
                inputs = input_pictures(prepared, cell.task, int(rows[len(samples)]))
                shown = [_picture(each) for each in (y_CHW, *image_SCHW)]
                samples[f"{len(samples):03d}.png"] = side_by_side([*inputs, *shown])
    shape = (1, len(cell.task.inputs), *y_BCHW.shape[1:])
    parameters = network_cost(network, network.ensemble, cell.streams, shape)
    return Measured(metrics=scores.compute(), stand_in=scores.stand_in, parameters=parameters, samples=samples)


def _picture(image_CHW: Tensor) -> np.ndarray:
    return to_uint8(image_CHW[None])[0].permute(1, 2, 0).cpu().numpy()
