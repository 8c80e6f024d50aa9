"""The door to a task's training code. Torch-free until it is opened: records ask it only where its code begins."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from cenbench.matrix.cell import Cell

if TYPE_CHECKING:
    from cenbench.train.trainer import TaskTraining

_MODULES = {"segmentation": "cenbench.train.segmentation", "translation": "cenbench.train.translation"}
_DEVICE = "cenbench.train.device.choose_device"


def training_of(cell: Cell) -> TaskTraining:
    """The training half of the cell's task, imported on first use: no cell imports the other task's code."""
    return cast("TaskTraining", import_module(_MODULES[cell.task.kind]))


def training_entries(cell: Cell) -> tuple[str, ...]:
    """Where the code that trains the cell begins; with `.*`, a module that it asks for functions by name."""
    return (
        "cenbench.train.device.choose_device",
        "cenbench.train.train_cell.train_cell",
        f"{_MODULES[cell.task.kind]}.*",
    )


def loading_entries(cell: Cell) -> tuple[str, ...]:
    """Where the code that loads the trained network begins, likewise."""
    return (
        "cenbench.train.device.choose_device",
        "cenbench.train.train_cell.load_network",
        f"{_MODULES[cell.task.kind]}.*",
    )


def loaded_by_name(cell: Cell) -> dict[str, tuple[str, ...]]:
    """The modules that the cell's network loads by a computed name: how such names begin -> the rest."""
    return {"cenbench.nn.fusion.": (cell.fusion.replace("-", "_"),), "cenbench.nn.": (cell.network.head,)}


if TYPE_CHECKING:
    from cenbench.train import segmentation, translation

    _IMPLEMENTATIONS: tuple[TaskTraining, ...] = (segmentation, translation)
