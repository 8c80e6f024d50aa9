"""Batches of a prepared dataset, with random access: a resumed run gets the batch of step n that it would have got.

A batch is a function of (seed, step) alone: the order of scenes is drawn from (seed, epoch), the augmentation from
(seed, step). Shapes: B batch, M modalities, C channels, H height, W width.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from cenbench.data import transforms
from cenbench.data.prepared import Prepared
from cenbench.data.split import Split, StoredBatch
from cenbench.data.transforms import Window
from cenbench.errors import UserError
from cenbench.matrix.cell import Task
from cenbench.matrix.specs import SegmentationProtocol, TranslationProtocol

_ORDER, _AUGMENTATION = 0, 1


class _TrainingBatches(ABC):
    """Augmented crops of the training scenes. `batch` is `read`, which runs on the host, followed by `prepare`, which
    runs on the device that trains.
    """

    def __init__(self, split: Split, batch_size: int, crop_px: int, seed: int) -> None:
        self._split, self._batch_size, self._crop_px, self._seed = split, batch_size, crop_px, seed
        self.steps_per_epoch = _steps_per_epoch(split, batch_size)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The inputs and the target of a step, on the CPU."""
        return self.prepare(self.read(step))

    def read(self, step: int) -> StoredBatch:
        """The stored pixels that the crops of a step need, read from disk or memory."""
        rows = _rows(self._seed, step, len(self._split), self._batch_size)
        windows = [self._window(draw) for draw in _draws(self._seed, step, self._batch_size)]
        return self._split.read(rows.tolist(), windows, self._crop_px)

    def prepare(self, stored: StoredBatch) -> tuple[Tensor, Tensor]:
        """Scale, normalise and pad, on the device where `stored` is."""
        return self._split.prepare(stored)

    @abstractmethod
    def _window(self, draw: np.ndarray) -> Window:
        """Position of the crop of one sample."""


class SegmentationBatches(_TrainingBatches):
    """(x_BMCHW float32, label_BHW int64): scaled by U(scale_min, scale_max), padded, mirrored, cropped to `crop_px`
    (paper.md#segmentation-images). rgb is normalised with ImageNet's statistics, depth is in metres; padded
    labels are void.
    """

    def __init__(self, prepared: Prepared, task: Task, protocol: SegmentationProtocol, seed: int) -> None:
        split = Split(prepared, task, protocol.train_split, pad_depth_as_rgb=protocol.pad_depth_as_rgb)
        super().__init__(split, protocol.batch_size, protocol.crop_px, seed)
        self._protocol = protocol

    def _window(self, draw: np.ndarray) -> Window:
        settings = self._protocol
        scales = (settings.scale_min, settings.scale_max)
        return transforms.segmentation_window(
            draw, self._split.shape_px, settings.crop_px, scales, settings.mirror, settings.min_side_px
        )


class TranslationBatches(_TrainingBatches):
    """(x_BMCHW float32, y_BCHW float32), both in [-1, 1]: resized to `resize_px`, cropped to `crop_px`, mirrored
    (paper.md#translation-images).
    """

    def __init__(self, prepared: Prepared, task: Task, protocol: TranslationProtocol, seed: int) -> None:
        super().__init__(Split(prepared, task, protocol.train_split), protocol.batch_size, protocol.crop_px, seed)
        self._protocol = protocol

    def _window(self, draw: np.ndarray) -> Window:
        settings = self._protocol
        sizes = (settings.resize_px, settings.crop_px)
        return transforms.translation_window(
            draw, self._split.shape_px, *sizes, settings.mirror, settings.crop_past_edge
        )


class EvalBatches:
    """Every scene of a split once, in order, uncropped and unaugmented; the last batch may be smaller."""

    def __init__(self, prepared: Prepared, task: Task, split: str, batch_size: int) -> None:
        self._split = Split(prepared, task, split)
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._split) / self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(x_BMCHW, label_BHW or y_BCHW), normalised as in training."""
        for start in range(0, len(self._split), self._batch_size):
            yield self._split.whole(np.arange(start, min(start + self._batch_size, len(self._split))))


def whole_batches(prepared: Prepared, task: Task, split: str, batch_size: int) -> Iterator[Tensor]:
    """The inputs x_BMCHW of every scene of a split once, in order, unaugmented; in equal batches, as far as they can
    be, of at least `batch_size` scenes.
    """
    source = Split(prepared, task, split)
    for rows in np.array_split(np.arange(len(source)), max(1, len(source) // batch_size)):
        yield source.whole(rows)[0]


def _steps_per_epoch(split: Split, batch_size: int) -> int:
    steps = len(split) // batch_size
    if steps == 0:
        raise UserError(
            "the split is smaller than one batch",
            key="protocol.batch_size",
            found=batch_size,
            expected=f"<= {len(split)}",
        )
    return steps


def _rows(seed: int, step: int, scenes: int, batch_size: int) -> np.ndarray:
    """Scenes of a step: its slice of the epoch's permutation. Scenes that do not fill a batch are left out."""
    epoch, place = divmod(step, scenes // batch_size)
    order = np.random.default_rng([seed, _ORDER, epoch]).permutation(scenes)
    return order[place * batch_size : (place + 1) * batch_size]


def _draws(seed: int, step: int, batch_size: int) -> np.ndarray:
    """(B, 4) uniform numbers in [0, 1): scale, mirror, top, left."""
    return np.random.default_rng([seed, _AUGMENTATION, step]).random((batch_size, 4))
