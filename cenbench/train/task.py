"""The door to a task's training code. Torch-free until it is opened: records ask it for module names only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from cenbench.matrix.cell import Cell

if TYPE_CHECKING:
    from cenbench.train.trainer import TaskTraining

_MODULES = {"segmentation": "cenbench.train.segmentation", "translation": "cenbench.train.translation"}


def training_of(cell: Cell) -> TaskTraining:
    """The training half of the cell's task, imported on first use: no cell imports the other task's code."""
    return cast("TaskTraining", import_module(_MODULES[cell.task.kind]))


def training_modules(cell: Cell) -> tuple[str, ...]:
    """The modules that train the cell; their imports complete its training code.

    The fusion method and the head are among them because the networks load them by name.
    """
    method = f"cenbench.nn.fusion.{cell.fusion.replace('-', '_')}"
    return "cenbench.train.train_cell", _MODULES[cell.task.kind], method, f"cenbench.nn.{cell.network.head}"


if TYPE_CHECKING:
    from cenbench.train import segmentation, translation

    _IMPLEMENTATIONS: tuple[TaskTraining, ...] = (segmentation, translation)
