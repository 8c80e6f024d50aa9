"""One cell with what training and evaluating it need at hand: its prepared data, a device and the folders."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths


@dataclass(frozen=True)
class Setup:
    """`paths` gives the cell's state folder, the pretrained weights and the cached features."""

    cell: Cell
    prepared: Prepared
    device: torch.device
    paths: Paths

    @property
    def classes(self) -> int:
        """Number of semantic classes of the dataset."""
        return len(self.prepared.classes)
