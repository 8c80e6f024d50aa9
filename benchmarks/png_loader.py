"""The straightforward loader that benchmarks/input.py compares with: one PNG per image, decoded for every sample.

A PyTorch `Dataset` with one file per modality and scene, read with Pillow, scaled, cropped and mirrored, then converted
to a float tensor and padded, as training scripts usually do. The workers are the `DataLoader`'s processes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from cenbench.data import transforms
from cenbench.data.prepared import Prepared
from cenbench.data.transforms import Window
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import SegmentationProtocol


def write_pngs(prepared: Prepared, cell: Cell, folder: Path) -> None:
    """Every training image of the cell's modalities as a PNG, 8 or 16 bits."""
    for name in names_of(cell):
        (folder / name).mkdir(parents=True)
        for scene in prepared.indices("train"):
            Image.fromarray(prepared.array(name)[scene]).save(folder / name / f"{scene}.png")


def names_of(cell: Cell) -> list[str]:
    return [transforms.stored_name(token, cell.task.kind) for token in (*cell.task.inputs, cell.task.target)]


class PngSamples(Dataset[tuple[Tensor, Tensor]]):
    """(x_MCHW, label_HW or y_CHW), augmented at random."""

    def __init__(self, prepared: Prepared, cell: Cell, folder: Path) -> None:
        self.cell, self.folder, self.scenes = cell, folder, len(prepared.indices("train"))
        self.entries, self.shape_px = prepared.manifest.modalities, prepared.manifest.size_px

    def __len__(self) -> int:
        return self.scenes

    def __getitem__(self, scene: int) -> tuple[Tensor, Tensor]:
        window = window_of(self.cell, self.shape_px, np.random.default_rng().random(4))
        *inputs, target = (self._image(name, scene, window) for name in names_of(self.cell))
        return torch.stack(inputs), target[0].long() if self.cell.task.kind == "segmentation" else target

    def _image(self, name: str, scene: int, window: Window) -> Tensor:
        nearest = transforms.interpolation(name) == "nearest-exact"
        image = Image.open(self.folder / name / f"{scene}.png")
        image = image.resize(
            (window.width, window.height), Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
        )
        side = self.cell.protocol.crop_px
        image = image.crop(
            (window.left, window.top, min(window.left + side, window.width), min(window.top + side, window.height))
        )
        if window.mirror:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        raw = np.asarray(image)
        if name == "semantic":
            values_CHW, fill = torch.from_numpy(raw[None].astype(np.float32)), 255.0
        else:
            values_CHW = transforms.normalise(raw[None], name, self.entries[name], self.cell.task.kind)[0]
            fill = transforms.padding(name, self.cell.task.kind)[0]
        padded_CHW = torch.full((values_CHW.shape[0], side, side), fill)
        padded_CHW[:, : values_CHW.shape[1], : values_CHW.shape[2]] = values_CHW
        return padded_CHW


def window_of(cell: Cell, shape_px: tuple[int, int], draw: np.ndarray) -> Window:
    """Position of the crop, drawn as the cell's own batches draw it."""
    settings = cell.protocol
    if isinstance(settings, SegmentationProtocol):
        scales = (settings.scale_min, settings.scale_max)
        return transforms.segmentation_window(
            draw, shape_px, settings.crop_px, scales, settings.mirror, settings.min_side_px
        )
    return transforms.translation_window(draw, shape_px, settings.resize_px, settings.crop_px, settings.mirror)
