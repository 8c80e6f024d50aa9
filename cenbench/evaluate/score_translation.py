"""What a translation network generates, and the score by which `selection: best` chooses its weights.

Separate from `cenbench.evaluate.translation` because with `best` this is training code: a change here trains those
cells again, a change of the other metrics or of the sample pictures does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from cenbench.data.batches import EvalBatches
from cenbench.matrix.specs import TranslationEvaluation
from cenbench.metrics import fid
from cenbench.metrics.inputs.extractors import Extractor, load_extractor
from cenbench.metrics.inputs.images import stretch_to_uint8, to_uint8
from cenbench.metrics.inputs.reference_features import reference_features
from cenbench.nn.norm import set_own_statistics
from cenbench.pretrained.catalog import INCEPTION_FILE
from cenbench.train.selection import Score
from cenbench.train.setup import Setup


def score(setup: Setup) -> Score:
    """The lowest FID of any output stream, negated so that higher is better (paper.md#translation-evaluation).

    The score raises `CellSkipped` where the feature extractor's weights are absent.
    """
    evaluation = setup.cell.part(TranslationEvaluation)
    to_bytes = image_bytes(evaluation)

    @torch.inference_mode()
    def negative_fid(network: nn.Module) -> float:
        extractor = load_extractor(evaluation.extractor, setup.paths.weights / INCEPTION_FILE, setup.device)
        real_ND = real_features(setup, extractor)
        set_own_statistics(network, evaluation.instance_statistics_at_test)
        features = []
        for image_BSCHW, _ in generated(setup, network):
            features_PD = extractor.features(to_bytes(image_BSCHW.flatten(0, 1)))
            features.append(features_PD.unflatten(0, image_BSCHW.shape[:2]))
        features_SND = torch.cat(features).transpose(0, 1)
        return -min(fid.frechet_distance(fake_ND, real_ND) for fake_ND in features_SND)

    return negative_fid


def image_bytes(evaluation: TranslationEvaluation) -> Callable[[Tensor], Tensor]:
    """What turns images in [-1, 1] into the uint8 that features are of."""
    return stretch_to_uint8 if evaluation.stretch_images else to_uint8


def generated(setup: Setup, network: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
    """(image_BSCHW, y_BCHW) of the evaluated split, with the norm statistics that the network is set to."""
    cell, device = setup.cell, setup.device
    _set_mode(network, cell.part(TranslationEvaluation))
    torch.manual_seed(cell.seed)  # dropout at test draws the same numbers each time
    for x_BMCHW, y_BCHW in EvalBatches(setup.prepared, cell.task, cell.evaluation.split, cell.evaluation.batch_size):
        yield network(x_BMCHW.to(device)), y_BCHW.to(device)


def real_features(setup: Setup, extractor: Extractor) -> Tensor:
    """Features of the real target images, (N, D), computed once per dataset, target, extractor and way of making
    bytes, and kept below `paths.features`.
    """
    cell, prepared, evaluation = setup.cell, setup.prepared, setup.cell.part(TranslationEvaluation)
    to_bytes = image_bytes(evaluation)

    def batches() -> Iterator[Tensor]:
        for _, y_BCHW in EvalBatches(prepared, cell.task, evaluation.split, evaluation.batch_size):
            yield to_bytes(y_BCHW)

    key = {"dataset": prepared.digest, "target": cell.task.target, "split": evaluation.split}
    if evaluation.stretch_images:
        key["pixels"] = "stretched"
    return reference_features(setup.paths.features, key, extractor, evaluation.batch_size, batches)


def _set_mode(network: nn.Module, evaluation: TranslationEvaluation) -> None:
    """Evaluation mode, except for dropout if this evaluation leaves it as in training."""
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.train(evaluation.dropout_at_test)
