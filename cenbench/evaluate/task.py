"""The door to a task's evaluation code. Torch-free until it is opened: records ask it only where its code begins."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import measured_metrics

if TYPE_CHECKING:
    import numpy as np

    from cenbench.evaluate.measured import Measured
    from cenbench.evaluate.prediction_files import PredictionFiles
    from cenbench.nn.network import Network
    from cenbench.train.selection import Score
    from cenbench.train.setup import Setup

_MODULES = {"segmentation": "cenbench.evaluate.segmentation", "translation": "cenbench.evaluate.translation"}
_SCORES = {kind: name.replace("evaluate.", "evaluate.score_") for kind, name in _MODULES.items()}


class TaskEvaluation(Protocol):
    """The evaluating half of a task. One module implements it per kind of task."""

    def check_installed(self, cell: Cell, weights: Path) -> None:
        """Raises `CellSkipped` where what measures the cell is absent: asked before hours of training."""

    def score(self, setup: Setup) -> Score:
        """What `selection: best` maximises on the validation split."""

    def measure(self, setup: Setup, network: Network) -> Measured:
        """Metrics of every output stream on the validation split, the network's cost, and sample pictures."""

    def predict(
        self, setup: Setup, network: Network, stream: str, wanted: set[int]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The `wanted` scenes of the validation split, numbered from 0, with the predictions of `stream` for them: u8
        classes (H, W) or pictures (H, W, 3), the same that `measure` scores.
        """

    def prediction_files(self, dataset: str) -> PredictionFiles:
        """How predictions on a dataset are stored."""


def evaluation_of(cell: Cell) -> TaskEvaluation:
    """The evaluating half of the cell's task, imported on first use: segmentation never pays for FID's Inception."""
    return cast("TaskEvaluation", import_module(_MODULES[cell.task.kind]))


def evaluation_entries(cell: Cell) -> tuple[str, ...]:
    """Where the code that measures the trained cell begins."""
    return (f"{_MODULES[cell.task.kind]}.measure", "cenbench.evaluate.norm_statistics.other_scores")


def robustness_entries(cell: Cell) -> tuple[str, ...]:
    """Where the code begins that measures the trained cell under other conditions."""
    return ("cenbench.evaluate.robustness.measure_conditions", *evaluation_entries(cell))


def metrics_loaded_by_name(cell: Cell) -> dict[str, tuple[str, ...]]:
    """The modules of the cell's metrics, which are loaded by a computed name: how such names begin -> the rest."""
    return {"cenbench.metrics.": measured_metrics(cell.task.kind)}


def selection_entries(cell: Cell) -> tuple[str, ...]:
    """Where the code that chooses the cell's weights begins: nowhere if it keeps the last ones."""
    return (f"{_SCORES[cell.task.kind]}.score",) if cell.protocol.selection == "best" else ()


if TYPE_CHECKING:
    from cenbench.evaluate import segmentation, translation

    _IMPLEMENTATIONS: tuple[TaskEvaluation, ...] = (segmentation, translation)
