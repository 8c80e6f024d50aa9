"""Evaluates a segmentation cell: every output stream, at full size, over the validation split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cenbench.data.batches import EvalBatches
from cenbench.data.contact_sheet import label_colours
from cenbench.data.thin_classes import thin_labels
from cenbench.evaluate.exchanged import exchanged_shares
from cenbench.evaluate.input_pictures import input_pictures
from cenbench.evaluate.measured import Measured
from cenbench.evaluate.network_cost import network_cost
from cenbench.evaluate.norm_statistics import ChosenStatistics
from cenbench.evaluate.per_image import ConfusionCollector
from cenbench.evaluate.prediction_files import PredictionFiles, label_files
from cenbench.evaluate.samples import sample_names, side_by_side
from cenbench.evaluate.score_segmentation import predicted_classes, score
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import SegmentationEvaluation
from cenbench.metrics.inputs.boundaries import Boundaries
from cenbench.metrics.inputs.confusion import Confusion, class_iou
from cenbench.metrics.inputs.scores import boundary_scores, confusion_scores, thin_scores
from cenbench.nn.network import Network
from cenbench.train.setup import Setup

__all__ = ["check_installed", "measure", "predict", "prediction_files", "score"]


def check_installed(cell: Cell, weights: Path) -> None:
    """Nothing has to be installed for comparing labels."""


@torch.inference_mode()
def measure(setup: Setup, network: Network) -> Measured:
    """Scores of every stream, parameter count, ensemble weights, and sample pictures."""
    cell, prepared, evaluation = setup.cell, setup.prepared, setup.cell.part(SegmentationEvaluation)
    ChosenStatistics(setup, network).use_named()
    confusion = Confusion(cell.streams, setup.classes, prepared.void, setup.device)
    boundaries = Boundaries(cell.streams, setup.classes, prepared.void, setup.device)
    images, edges = (ConfusionCollector(cell.streams, classes) for classes in (setup.classes, setup.classes + 1))
    samples: dict[str, bytes] = {}
    rows, wanted, place = prepared.indices(evaluation.split), sample_names(prepared, cell.task, evaluation), 0
    for x_BMCHW, label_BHW in EvalBatches(prepared, cell.task, evaluation.split, evaluation.batch_size):
        prediction_BSHW = predicted_classes(network, x_BMCHW.to(setup.device), cell.task, evaluation)
        truth_BHW = label_BHW.to(setup.device)
        images.add(confusion.update(prediction_BSHW, truth_BHW).cpu().numpy())
        edges.add(boundaries.update(prediction_BSHW, truth_BHW).cpu().numpy())
        for prediction_SHW, label_HW in zip(prediction_BSHW.cpu().numpy(), label_BHW.numpy(), strict=True):
            if place in wanted:
                inputs = input_pictures(prepared, cell.task, int(rows[place]))
                shown = [label_colours(classes.astype(np.uint8)) for classes in (label_HW, *prediction_SHW)]
                samples |= dict.fromkeys(wanted[place], side_by_side([*inputs, *shown]))
            place += 1
    parameters = network_cost(network, cell.streams, (1, *x_BMCHW.shape[1:]))
    pooled = dict(zip(cell.streams, confusion.pooled_SKK(), strict=True))
    by_class, near = confusion_scores(confusion), boundary_scores(boundaries)
    thin = thin_labels(cell.dataset.name, prepared.classes)
    by_thin = thin_scores(confusion, thin)
    return Measured(
        metrics={stream: {**by_class[stream], **by_thin[stream], **near[stream]} for stream in cell.streams},
        per_class_iou_pct={stream: _iou_pct(counts_KK, prepared.classes) for stream, counts_KK in pooled.items()},
        confusion={stream: counts_KK.numpy() for stream, counts_KK in pooled.items()},
        per_image=replace(images.collected(), boundaries=edges.collected().confusion, thin=thin),
        parameters=parameters,
        exchange=exchanged_shares(network, cell.task.inputs),
        samples=samples,
    )


@torch.inference_mode()
def predict(setup: Setup, network: Network, stream: str, wanted: set[int]) -> Iterator[tuple[int, np.ndarray]]:
    """The `wanted` scenes of the split with their u8 classes, (H, W).

    Batches are those of `measure`, so that the classes are bit for bit the ones it scored.
    """
    cell, evaluation = setup.cell, setup.cell.part(SegmentationEvaluation)
    ChosenStatistics(setup, network).use_named()
    place, first = cell.streams.index(stream), 0
    for x_BMCHW, _ in EvalBatches(setup.prepared, cell.task, evaluation.split, evaluation.batch_size):
        batch = range(first, first + len(x_BMCHW))
        first = batch.stop
        if wanted.isdisjoint(batch):
            continue
        classes_BHW = predicted_classes(network, x_BMCHW.to(setup.device), cell.task, evaluation)[:, place]
        for number, classes_HW in zip(batch, classes_BHW.cpu().numpy().astype(np.uint8), strict=True):
            if number in wanted:
                yield number, classes_HW


def prediction_files(dataset: str) -> PredictionFiles:
    """Labels in the dataset's own format."""
    return label_files(dataset)


def _iou_pct(confusion_KK: Tensor, classes: Sequence[str]) -> dict[str, float | None]:
    values = (100 * class_iou(confusion_KK.double())).tolist()
    return {name: None if math.isnan(value) else value for name, value in zip(classes, values, strict=True)}
