"""Batches of a prepared dataset: random access, so a resumed run asks for step n and gets what it would have got.

A batch is a function of (seed, step) alone: the order of scenes is drawn from (seed, epoch), the augmentation from
(seed, step). Shape suffixes are those of docs/architecture.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from cenbench.data import transforms
from cenbench.data.prepared import Prepared
from cenbench.data.transforms import Window
from cenbench.errors import UserError
from cenbench.matrix.cell import Task
from cenbench.matrix.specs import SegmentationProtocol, TranslationProtocol

RAM_LIMIT_BYTES = 2**30
"""A split's arrays are read into memory once when they are smaller than this; else pages are read as needed."""
_ORDER, _AUGMENTATION = 0, 1


class SegmentationBatches:
    """Training batches: scaled by U(scale_min, scale_max), padded, mirrored, cropped to `crop_px` (facts 2a)."""

    def __init__(self, prepared: Prepared, task: Task, protocol: SegmentationProtocol, seed: int) -> None:
        self._split = _Split(prepared, task, "train", pad_depth_as_rgb=protocol.pad_depth_as_rgb)
        self._protocol = protocol
        self._seed = seed
        self.steps_per_epoch = _steps_per_epoch(self._split, protocol.batch_size)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """(x_BMCHW float32, label_BHW int64): rgb normalised as ImageNet's, depth in metres; padding is void."""
        settings, split = self._protocol, self._split
        rows = _rows(self._seed, step, len(split), settings.batch_size)
        scales = (settings.scale_min, settings.scale_max)
        windows = [
            transforms.segmentation_window(
                draw, split.shape_px, settings.crop_px, scales, settings.mirror, settings.min_side_px
            )
            for draw in _draws(self._seed, step, settings.batch_size)
        ]
        return split.read(rows, windows, settings.crop_px)


class TranslationBatches:
    """Training batches: resized to `resize_px`, cropped to `crop_px`, mirrored (facts 2b)."""

    def __init__(self, prepared: Prepared, task: Task, protocol: TranslationProtocol, seed: int) -> None:
        self._split = _Split(prepared, task, "train")
        self._protocol = protocol
        self._seed = seed
        self.steps_per_epoch = _steps_per_epoch(self._split, protocol.batch_size)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """(x_BMCHW float32, y_BCHW float32), both in [-1, 1]."""
        settings, split = self._protocol, self._split
        rows = _rows(self._seed, step, len(split), settings.batch_size)
        sizes, past_edge = (settings.resize_px, settings.crop_px), settings.crop_past_edge
        windows = [
            transforms.translation_window(draw, split.shape_px, *sizes, settings.mirror, past_edge)
            for draw in _draws(self._seed, step, settings.batch_size)
        ]
        return split.read(rows, windows, settings.crop_px)


class EvalBatches:
    """Every scene of a split once, in order, whole and unaugmented; the last batch may be smaller."""

    def __init__(self, prepared: Prepared, task: Task, split: str, batch_size: int) -> None:
        self._split = _Split(prepared, task, split)
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._split) / self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(x_BMCHW, label_BHW or y_BCHW) as in training."""
        for start in range(0, len(self._split), self._batch_size):
            yield self._split.read(np.arange(start, min(start + self._batch_size, len(self._split))))


class _Split:
    """The arrays of one split that a task reads."""

    def __init__(self, prepared: Prepared, task: Task, split: str, *, pad_depth_as_rgb: bool = False) -> None:
        self._kind, self._pad_depth_as_rgb = task.kind, pad_depth_as_rgb
        self._names = [transforms.stored_name(token, task.kind) for token in (*task.inputs, task.target)]
        indices = prepared.indices(split)
        rows = slice(int(indices[0]), int(indices[-1]) + 1)
        self._arrays = {name: prepared.array(name)[rows] for name in self._names}
        if sum(array.nbytes for array in self._arrays.values()) < RAM_LIMIT_BYTES:
            self._arrays = {name: np.array(array) for name, array in self._arrays.items()}
        self._entries = prepared.manifest.modalities
        self._void = prepared.void
        self._length = len(indices)
        self.shape_px = prepared.manifest.size_px

    def __len__(self) -> int:
        return self._length

    def read(self, rows: np.ndarray, windows: list[Window] | None = None, crop_px: int = 0) -> tuple[Tensor, Tensor]:
        """Rows of the split, cut by one window each (whole without windows)."""
        images = [self._image(name, rows, windows, crop_px) for name in self._names]
        x_BMCHW = torch.stack(images[:-1], dim=1)
        if self._kind == "translation":
            return x_BMCHW, images[-1].contiguous()
        return x_BMCHW, images[-1][:, 0].to(torch.int64)

    def _image(self, name: str, rows: np.ndarray, windows: list[Window] | None, crop_px: int) -> Tensor:
        """(B, 3, H, W) float32 normalised; (B, 1, H, W) float32 labels for `semantic`."""
        raw = self._arrays[name][rows]
        fill: tuple[float, ...]
        if name == "semantic":
            image_BCHW, fill = torch.from_numpy(raw.astype(np.float32)).unsqueeze(1), (float(self._void),)
        else:
            image_BCHW = transforms.normalise(raw, name, self._entries[name], self._kind)
            fill = transforms.padding(name, self._kind, self._pad_depth_as_rgb)
        if windows is None:
            return image_BCHW
        return torch.stack(
            [
                transforms.cut(image_CHW, window, crop_px, name, fill)
                for image_CHW, window in zip(image_BCHW, windows, strict=True)
            ]
        )


def _steps_per_epoch(split: _Split, batch_size: int) -> int:
    steps = len(split) // batch_size
    if steps == 0:
        raise UserError(
            "an epoch would have no step", key="protocol.batch_size", found=batch_size, expected=f"<= {len(split)}"
        )
    return steps


def _rows(seed: int, step: int, scenes: int, batch_size: int) -> np.ndarray:
    """Scenes of a step: its slice of the epoch's permutation; the remainder of an epoch is left out."""
    epoch, place = divmod(step, scenes // batch_size)
    order = np.random.default_rng([seed, _ORDER, epoch]).permutation(scenes)
    return order[place * batch_size : (place + 1) * batch_size]


def _draws(seed: int, step: int, batch_size: int) -> np.ndarray:
    """(B, 4) numbers of [0, 1): scale, mirror, top, left."""
    return np.random.default_rng([seed, _AUGMENTATION, step]).random((batch_size, 4))
