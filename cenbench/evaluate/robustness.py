"""Evaluates a trained network once more, with corrupted or absent inputs. Nothing is trained.

Every condition goes through the task's own `measure`, so that its numbers are counted as those of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from cenbench.data.corrupted import absent, corrupted
from cenbench.data.corruption import CORRUPTIONS
from cenbench.data.exposure import scene_exposures
from cenbench.data.prepared import Prepared
from cenbench.evaluate.measured import Measured
from cenbench.evaluate.norm_statistics import ChosenStatistics
from cenbench.evaluate.task import TaskEvaluation
from cenbench.matrix.cell import ENSEMBLE, Cell
from cenbench.matrix.condition import CLEAN, Condition
from cenbench.matrix.stored_arrays import stored_name
from cenbench.metrics.inputs.plugins import plugins, possible
from cenbench.nn.network import Network
from cenbench.train.setup import Setup

Scores = dict[str, dict[str, float]]
"""stream -> metric -> value."""


def measure_conditions(
    setup: Setup,
    evaluation: TaskEvaluation,
    network: Network,
    conditions: Sequence[Condition],
    report: Callable[[Condition], None],
) -> dict[str, Scores]:
    """Key of each condition -> scores. `report` is called before each pass over the test images.

    Exposures that no test scene has are left out, and so are metrics that are not functions of single images there.
    """
    setup = replace(setup, cell=_evaluated(setup.cell, samples=0))
    if setup.cell.evaluation.statistics == "reestimated":
        # Once, from clean training images: a corrupted dataset has only the split that is evaluated.
        ChosenStatistics(setup, network).use_named()
        setup = replace(setup, cell=_evaluated(setup.cell, norm_statistics="running"))
    found: dict[str, Scores] = {}
    for condition in conditions:
        if condition.kind == "exposure":
            continue
        report(condition)
        with _ensemble_without(network, setup.cell, condition):
            measured = evaluation.measure(replace(setup, prepared=_seen(setup, condition)), network)
        if condition == CLEAN:
            exposures = [other for other in conditions if other.kind == "exposure"]
            found |= _by_exposure(setup, measured, [other.of for other in exposures])
        scores = {stream: dict(values) for stream, values in measured.metrics.items()}
        found[condition.key] = {ENSEMBLE: scores[ENSEMBLE]} if condition.kind == "left_out" else scores
    return {condition.key: found[condition.key] for condition in conditions if condition.key in found}


def _evaluated(cell: Cell, **settings: object) -> Cell:
    """The cell with other settings of its evaluation."""
    return cell.model_copy(update={"evaluation": cell.evaluation.model_copy(update=settings)})


def _seen(setup: Setup, condition: Condition) -> Prepared:
    """The dataset as the network sees it under this condition."""
    cell, prepared = setup.cell, setup.prepared
    if condition == CLEAN:
        return prepared
    name, split = stored_name(condition.of, cell.task.kind), cell.evaluation.split
    if condition.kind in CORRUPTIONS:
        return corrupted(prepared, name, split, condition.kind, condition.strength, cell.seed)
    return absent(prepared, name, split, cell.task.kind)


@contextmanager
def _ensemble_without(network: Network, cell: Cell, condition: Condition) -> Iterator[None]:
    """Within the block, a modality that is left out has no weight in the ensemble; the others' weights sum to one."""
    if condition.kind != "left_out":
        yield
        return
    alpha = network.ensemble.alpha
    place = cell.task.inputs.index(condition.of)
    before = alpha.detach().clone()
    with torch.no_grad():
        alpha[place] = -torch.inf
    try:
        yield
    finally:
        with torch.no_grad():
            alpha.copy_(before)


def _by_exposure(setup: Setup, measured: Measured, exposures: Sequence[str]) -> dict[str, Scores]:
    """Scores of the scenes of each exposure, from the per-image scores."""
    known_N = scene_exposures(setup.prepared, setup.cell.evaluation.split) if exposures else None
    if known_N is None:
        return {}
    chosen = {exposure: known_N == exposure for exposure in exposures}
    return {
        Condition("exposure", of=exposure).key: _scores_of(measured, chosen_N)
        for exposure, chosen_N in chosen.items()
        if chosen_N.any()
    }


def _scores_of(measured: Measured, chosen_N: np.ndarray) -> Scores:
    """Every metric of some of the images that can be computed from their per-image scores."""
    found: Scores = {}
    for stream, counts in measured.per_image.confusion.items():
        pooled_KK = torch.from_numpy(counts.pooled_KK(chosen_N)).double()
        scores = {name: metric.compute(pooled_KK) for name, metric in plugins("confusion").items()}
        found[stream] = {name: possible(name, value) for name, value in scores.items()}
    for stream, means in measured.per_image.means.items():
        found.setdefault(stream, {}).update(_of_means(means, chosen_N))
    return found


def _of_means(means: Mapping[str, np.ndarray], chosen_N: np.ndarray) -> dict[str, float]:
    metrics = plugins("pixels")
    total = int(chosen_N.sum())
    sums = {name: torch.tensor([mean_N[chosen_N].sum()]) for name, mean_N in means.items() if name in metrics}
    return {name: possible(name, float(metrics[name].compute(total_1, total))) for name, total_1 in sums.items()}
