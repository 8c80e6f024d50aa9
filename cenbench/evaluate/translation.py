"""Evaluates a translation cell: every output stream, over the validation split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cenbench.evaluate.exchanged import exchanged_shares
from cenbench.evaluate.input_pictures import input_pictures
from cenbench.evaluate.measured import Measured
from cenbench.evaluate.network_cost import network_cost
from cenbench.evaluate.norm_statistics import ChosenStatistics
from cenbench.evaluate.per_image import PerImage
from cenbench.evaluate.prediction_files import PICTURES, PredictionFiles
from cenbench.evaluate.samples import sample_names, side_by_side
from cenbench.evaluate.score_translation import generated, image_bytes, real_features, score
from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import metrics_that_need
from cenbench.matrix.specs import TranslationEvaluation
from cenbench.metrics.inputs import extractors
from cenbench.metrics.inputs.edges import Edges
from cenbench.metrics.inputs.extractors import Extractor, load_extractor
from cenbench.metrics.inputs.features import Features, Subsets
from cenbench.metrics.inputs.images import to_uint8
from cenbench.metrics.inputs.pixels import Pixels
from cenbench.metrics.inputs.scores import edge_scores, feature_scores, pixel_scores
from cenbench.nn.network import Network
from cenbench.pretrained.catalog import INCEPTION_FILE
from cenbench.train.setup import Setup

__all__ = ["check_installed", "measure", "predict", "prediction_files", "score"]


def check_installed(cell: Cell, weights: Path) -> None:
    """Raises `CellSkipped` where the feature extractor's weights are absent."""
    extractors.check_installed(cell.part(TranslationEvaluation).extractor, weights / INCEPTION_FILE)


@torch.inference_mode()
def measure(setup: Setup, network: Network) -> Measured:
    """Scores of every stream, parameter count, ensemble weights, and sample pictures.

    Raises `CellSkipped` where the feature extractor's weights are absent.
    """
    cell, prepared, evaluation = setup.cell, setup.prepared, setup.cell.part(TranslationEvaluation)
    extractor = load_extractor(evaluation.extractor, setup.paths.weights / INCEPTION_FILE, setup.device)
    ChosenStatistics(setup, network).use_named()
    features, pixels = _new_features(setup, extractor), Pixels(cell.streams, setup.device)
    edges = Edges(cell.streams, cell.task.target)
    samples: dict[str, bytes] = {}
    rows, wanted, place = prepared.indices(evaluation.split), sample_names(prepared, cell.task, evaluation), 0
    for image_BSCHW, y_BCHW in generated(setup, network):
        features.update(image_BSCHW)
        pixels.update(image_BSCHW, y_BCHW)
        edges.update(image_BSCHW, y_BCHW)
        for image_SCHW, y_CHW in zip(image_BSCHW, y_BCHW, strict=True):
            if place in wanted:
                inputs = input_pictures(prepared, cell.task, int(rows[place]))
                shown = [_picture(image_CHW) for image_CHW in (y_CHW, *image_SCHW)]
                samples |= dict.fromkeys(wanted[place], side_by_side([*inputs, *shown]))
            place += 1
    parameters = network_cost(network, cell.streams, (1, len(cell.task.inputs), *y_BCHW.shape[1:]))
    found = (feature_scores(features), pixel_scores(pixels), edge_scores(edges))
    return Measured(
        metrics={stream: {n: v for scores in found for n, v in scores[stream].items()} for stream in cell.streams},
        per_image=PerImage(len(rows), means=pixels.means(), edges=edges.images()),
        stand_in=dict.fromkeys(metrics_that_need("features"), extractor.stand_in) if extractor.stand_in else {},
        parameters=parameters,
        exchange=exchanged_shares(network, cell.task.inputs),
        samples=samples,
    )


@torch.inference_mode()
def predict(setup: Setup, network: Network, stream: str, wanted: set[int]) -> Iterator[tuple[int, np.ndarray]]:
    """The `wanted` scenes of the split with their u8 images, (H, W, 3).

    Every scene is generated, because dropout at test draws from one sequence of random numbers.
    """
    ChosenStatistics(setup, network).use_named()
    place, number = setup.cell.streams.index(stream), 0
    for image_BSCHW, _ in generated(setup, network):
        for image_SCHW in image_BSCHW:
            if number in wanted:
                yield number, _picture(image_SCHW[place])
            number += 1


def prediction_files(dataset: str) -> PredictionFiles:
    """Pictures are stored in the same way for every dataset."""
    return PICTURES


def _new_features(setup: Setup, extractor: Extractor) -> Features:
    evaluation = setup.cell.part(TranslationEvaluation)
    subsets = Subsets(evaluation.kid_subsets, evaluation.kid_subset_size, evaluation.kid_seed)
    return Features(setup.cell.streams, extractor, real_features(setup, extractor), subsets, image_bytes(evaluation))


def _picture(image_CHW: Tensor) -> np.ndarray:
    return to_uint8(image_CHW[None])[0].permute(1, 2, 0).cpu().numpy()
