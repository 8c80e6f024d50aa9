"""Evaluating a segmentation cell: single scale, full size, every output stream, over the validation split."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from cenbench.data.batches import EvalBatches
from cenbench.data.contact_sheet import label_colours
from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import Cell
from cenbench.metrics.segmentation import SegmentationScores
from cenbench.nn.parameters import count_parameters
from cenbench.run.inputs import input_pictures
from cenbench.run.paths import Paths
from cenbench.run.publish import Measured
from cenbench.run.samples import side_by_side
from cenbench.train.finished import Trained
from cenbench.train.segmentation import load


@torch.inference_mode()
def measure(cell: Cell, prepared: Prepared, trained: Trained, device: torch.device, paths: Paths) -> Measured:
    """Scores of every stream, parameter count, ensemble weights, and sample pictures.

    Logits are brought to the label's size by bicubic interpolation, as the released evaluation does (facts 3).
    """
    network = load(cell, len(prepared.classes), trained, device)
    streams = cell.task.streams
    scores = SegmentationScores(streams, len(prepared.classes), prepared.void, device)
    samples: dict[str, bytes] = {}
    rows = prepared.indices("val")
    for x_BMCHW, label_BHW in EvalBatches(prepared, cell.task, "val", cell.evaluation.batch_size):
        logits_BSKhw = network(x_BMCHW.to(device))
        B, S = logits_BSKhw.shape[:2]
        up = F.interpolate(logits_BSKhw.flatten(0, 1), size=label_BHW.shape[1:], mode="bicubic", align_corners=False)
        prediction_BSHW = up.argmax(1).unflatten(0, (B, S))
        scores.update(prediction_BSHW, label_BHW.to(device))
        for prediction_SHW, label_HW in zip(prediction_BSHW.cpu().numpy(), label_BHW.numpy(), strict=True):
            if len(samples) < cell.evaluation.samples:
                inputs = input_pictures(prepared, cell.task, int(rows[len(samples)]))
                shown = [label_colours(each.astype(np.uint8)) for each in (label_HW, *prediction_SHW)]
                samples[f"{len(samples):03d}.png"] = side_by_side([*inputs, *shown])
    weights = dict(zip(cell.task.inputs, network.ensemble.weights_M().tolist(), strict=True))
    parameters = {"total": count_parameters(network), "ensemble_weights": weights}
    return Measured(metrics=scores.compute(), parameters=parameters, samples=samples)
