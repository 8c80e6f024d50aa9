"""The arrays of one split that a task needs: whole images, or crops for which only the visible part is read.

A crop is made in two parts. The host reads its blocks as they are stored, in one or two bytes per value; scaling,
normalising and padding happen on the device that the blocks are moved to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cenbench.data import transforms
from cenbench.data.crop import Move, Taps, crop_taps, resampled
from cenbench.data.prepared import Prepared
from cenbench.data.transforms import Geometry, Window
from cenbench.matrix.cell import Task
from cenbench.matrix.stored_arrays import stored_name

RAM_LIMIT_BYTES = 2**30
"""Arrays of a split that are smaller than this are read into memory once; larger ones stay memory-mapped."""


@dataclass(frozen=True)
class StoredCrop:
    """Blocks (h, w) or (h, w, 3) that the crop of one sample needs, one per array, as stored; and their taps."""

    blocks: tuple[Tensor, ...]
    taps: Mapping[Geometry, tuple[Taps, Taps]]
    mirror: bool

    def moved(self, move: Move) -> StoredCrop:
        """A copy with `move` applied to its tensors."""
        taps = {geometry: (rows.moved(move), columns.moved(move)) for geometry, (rows, columns) in self.taps.items()}
        return StoredCrop(tuple(move(block) for block in self.blocks), taps, self.mirror)


@dataclass(frozen=True)
class StoredBatch:
    """The crops of a batch, not yet scaled and normalised."""

    crops: tuple[StoredCrop, ...]
    crop_px: int

    def moved(self, move: Move) -> StoredBatch:
        """A copy with `move` applied to its tensors: into page-locked memory, or to a device."""
        return StoredBatch(tuple(crop.moved(move) for crop in self.crops), self.crop_px)


class Split:
    """Inputs and target of a task, for the scenes of one split."""

    def __init__(self, prepared: Prepared, task: Task, split: str, *, pad_depth_as_rgb: bool = False) -> None:
        self._kind = task.kind
        self._names = [stored_name(token, task.kind) for token in task.inputs]
        self._names.append(transforms.stored_target(task.target, task.kind, prepared.manifest.modalities))
        self._scaled_alike: dict[tuple[Geometry, bool], list[int]] = {}
        """Images with the same taps; labels are apart, because they stay integers."""
        for place, name in enumerate(self._names):
            self._scaled_alike.setdefault((transforms.interpolation(name), name == "semantic"), []).append(place)
        indices = prepared.indices(split)
        rows = slice(int(indices[0]), int(indices[-1]) + 1)
        self._arrays = {name: prepared.array(name)[rows] for name in self._names}
        if sum(array.nbytes for array in self._arrays.values()) < RAM_LIMIT_BYTES:
            self._arrays = {name: np.array(array) for name, array in self._arrays.items()}
        self._entries = prepared.manifest.modalities
        self._void = prepared.void
        self._fill = {name: transforms.padding(name, task.kind, pad_depth_as_rgb) for name in self._names}
        self._length = len(indices)
        self.shape_px = prepared.manifest.size_px

    def __len__(self) -> int:
        return self._length

    def whole(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """(x_BMCHW float32, label_BHW int64 or y_BCHW float32) of these scenes, unaugmented."""
        *inputs, target = self._names
        x_BMCHW = torch.stack([self._normalised(self._arrays[name][rows], name) for name in inputs], dim=1)
        raw = self._arrays[target][rows]
        if self._kind == "segmentation":
            return x_BMCHW, torch.from_numpy(raw.astype(np.int64))
        return x_BMCHW, self._normalised(raw, target).contiguous()

    def read(self, rows: Sequence[int], windows: Sequence[Window], crop_px: int) -> StoredBatch:
        """One crop of each of these scenes, as stored."""
        return StoredBatch(
            tuple(self._stored(row, window, crop_px) for row, window in zip(rows, windows, strict=True)), crop_px
        )

    def prepare(self, batch: StoredBatch) -> tuple[Tensor, Tensor]:
        """(x_BMCHW float32, label_BHW int64 or y_BCHW float32), on the device of the batch, without synchronising."""
        B, crop_px, device = len(batch.crops), batch.crop_px, batch.crops[0].blocks[0].device
        x_BMCHW = torch.empty(B, len(self._names) - 1, 3, crop_px, crop_px, device=device)
        if self._kind == "segmentation":
            target = torch.full((B, 1, crop_px, crop_px), self._void, dtype=torch.int64, device=device)
        else:
            target = torch.empty(B, 3, crop_px, crop_px, device=device)
        for crop, x_MCHW, target_CHW in zip(batch.crops, x_BMCHW, target, strict=True):
            for place, piece_CHW in self._pieces(crop):
                self._fill_in((*x_MCHW, target_CHW)[place], self._names[place], piece_CHW, crop.mirror)
        return x_BMCHW, target[:, 0] if self._kind == "segmentation" else target

    def _stored(self, row: int, window: Window, crop_px: int) -> StoredCrop:
        geometries = dict.fromkeys(transforms.interpolation(name) for name in self._names)
        taps = {geometry: crop_taps(window, self.shape_px, crop_px, geometry) for geometry in geometries}
        return StoredCrop(
            tuple(_block(self._arrays[name], row, *taps[transforms.interpolation(name)]) for name in self._names),
            taps,
            window.mirror,
        )

    def _pieces(self, crop: StoredCrop) -> Iterator[tuple[int, Tensor]]:
        """(place in the names, the part of the image that the crop shows); images scaled alike are scaled together."""
        for (geometry, _), places in self._scaled_alike.items():
            values = [self._values(self._names[place], crop.blocks[place]) for place in places]
            together_CHW = torch.cat(values) if len(values) > 1 else values[0]
            pieces = resampled(together_CHW, *crop.taps[geometry]).split([len(values_CHW) for values_CHW in values])
            yield from zip(places, pieces, strict=True)

    def _values(self, name: str, block: Tensor) -> Tensor:
        """(C, h, w): a single stored channel is scaled once, before it is replicated."""
        return block[None] if name == "semantic" else self._normalised(block[None], name)[0, : _channels(block)]

    def _fill_in(self, image_CHW: Tensor, name: str, piece_CHW: Tensor, mirror: bool) -> None:
        """Fill one image of the batch. Padding lies below and at the right, or at the left if the crop is mirrored.

        Padding is not mirrored: its values (black, missing) have no direction.
        """
        if mirror and name == "normal":
            piece_CHW[0].neg_()  # a wall that faced left now faces right
        height, width = piece_CHW.shape[-2:]
        side = image_CHW.shape[-1]
        if (height, width) != (side, side) and name != "semantic":
            _fill(image_CHW, self._fill[name])
        left = side - width if mirror else 0
        image_CHW[:, :height, left : left + width] = piece_CHW

    def _normalised(self, raw: np.ndarray | Tensor, name: str) -> Tensor:
        return transforms.normalise(raw, name, self._entries[name], self._kind)


def _block(array: np.ndarray, row: int, rows: Taps, columns: Taps) -> Tensor:
    """A copy of the pixels that the taps need: a batch must not point into the file."""
    return torch.from_numpy(np.array(array[row, rows.start : rows.stop, columns.start : columns.stop]))


def _channels(block: Tensor) -> int:
    return 3 if block.ndim == 3 else 1


def _fill(image_CHW: Tensor, values: tuple[float, ...]) -> None:
    """Fill with one value for all channels, or one value per channel."""
    for channel_HW, value in zip(image_CHW, values * 3 if len(values) == 1 else values, strict=True):
        channel_HW.fill_(value)
