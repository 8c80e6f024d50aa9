"""Evaluating a segmentation cell: full size, every output stream, over the validation split."""

from __future__ import annotations

import numpy as np
import torch

from cenbench.data.batches import EvalBatches
from cenbench.data.contact_sheet import label_colours
from cenbench.data.prepared import Prepared
from cenbench.evaluate.input_pictures import input_pictures
from cenbench.evaluate.measured import Measured
from cenbench.evaluate.network_cost import network_cost
from cenbench.evaluate.samples import side_by_side
from cenbench.evaluate.score_segmentation import predict
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import SegmentationEvaluation
from cenbench.metrics.segmentation import SegmentationScores
from cenbench.paths import Paths
from cenbench.train.segmentation import load
from cenbench.train.trained import Trained


@torch.inference_mode()
def measure(cell: Cell, prepared: Prepared, trained: Trained, device: torch.device, paths: Paths) -> Measured:
    """Scores of every stream, parameter count, ensemble weights, and sample pictures."""
    evaluation = cell.evaluation
    if not isinstance(evaluation, SegmentationEvaluation):
        raise TypeError(f"{cell.id} is no segmentation cell")
    network = load(cell, len(prepared.classes), trained, device)
    streams = cell.streams
    scores = SegmentationScores(streams, len(prepared.classes), prepared.void, device)
    samples: dict[str, bytes] = {}
    rows = prepared.indices("val")
    for x_BMCHW, label_BHW in EvalBatches(prepared, cell.task, "val", evaluation.batch_size):
        prediction_BSHW = predict(network, x_BMCHW.to(device), cell.task, evaluation)
        scores.update(prediction_BSHW, label_BHW.to(device))
        for prediction_SHW, label_HW in zip(prediction_BSHW.cpu().numpy(), label_BHW.numpy(), strict=True):
            if len(samples) < evaluation.samples:
                inputs = input_pictures(prepared, cell.task, int(rows[len(samples)]))
                shown = [label_colours(each.astype(np.uint8)) for each in (label_HW, *prediction_SHW)]
                samples[f"{len(samples):03d}.png"] = side_by_side([*inputs, *shown])
    parameters = network_cost(network, network.ensemble, streams, (1, *x_BMCHW.shape[1:]))
    return Measured(metrics=scores.compute(), parameters=parameters, samples=samples)
