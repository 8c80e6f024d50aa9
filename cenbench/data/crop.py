"""One crop of a stored image: which rows and columns it needs, and how they become its pixels.

Only the part that the crop shows is read and scaled; the result equals scaling the whole image and then cropping it.
The host computes from the window where pixels come from; the pixels are made on the device where the block is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cenbench.data.transforms import Geometry, Window

Move = Callable[[Tensor], Tensor]
_SIZES = 256
"""Pairs of sizes whose index is kept: nearly all crops of a cell are scaled by one of a few."""


@dataclass(frozen=True)
class Taps:
    """Where the n pixels along one axis of a crop come from: a blend of two stored rows (or columns) per pixel.

    Only rows `start` to `stop` of the stored image are needed. `first` and `second` (n,) count from `start`; `weight`
    (n,) float32 is that of `second`. Both are None where nothing is blended. `as_stored`: the pixels are rows `start`
    to `stop` in their order, so that nothing has to be gathered.
    """

    start: int
    stop: int
    first: Tensor
    second: Tensor | None = None
    weight: Tensor | None = None
    as_stored: bool = False

    def moved(self, move: Move) -> Taps:
        """A copy with `move` applied to its tensors."""
        if self.second is None or self.weight is None:
            return replace(self, first=move(self.first))
        return replace(self, first=move(self.first), second=move(self.second), weight=move(self.weight))


def taps(stored_px: int, scaled_px: int, begin: int, end: int, geometry: Geometry, *, turned: bool = False) -> Taps:
    """Taps for pixels `begin` to `end` of an axis scaled from `stored_px` to `scaled_px`, in reverse order if
    `turned`.
    """
    order = slice(None, None, -1) if turned else slice(None)
    if scaled_px == stored_px:
        return _single(np.arange(begin, end)[order])
    if geometry == "nearest-exact":
        return _single(_nearest(stored_px, scaled_px)[begin:end][order])
    place = _places(stored_px, scaled_px)[begin:end][order]
    first = np.floor(place).astype(np.int64)
    second = np.minimum(first + 1, stored_px - 1)
    start, stop = _span(first, second)
    weight = torch.from_numpy(place - first.astype(np.float32))
    return Taps(start, stop, torch.from_numpy(first - start), torch.from_numpy(second - start), weight)


def resampled(block_CHW: Tensor, rows: Taps, columns: Taps) -> Tensor:
    """(C, h, w), the block that the taps need, -> (C, H, W); the block itself where the taps leave it as it is.

    Columns are gathered as rows of the transposed block: a gather along the last axis takes ten times as long.
    """
    if not columns.as_stored:
        block_CHW = _gathered(block_CHW.transpose(1, 2).contiguous(), columns).transpose(1, 2).contiguous()
    return block_CHW if rows.as_stored else _gathered(block_CHW, rows)


def crop_taps(window: Window, shape_px: tuple[int, int], crop_px: int, geometry: Geometry) -> tuple[Taps, Taps]:
    """Rows and columns for the part of a crop that lies on the image; a mirrored crop has its columns reversed."""
    height, width = shape_px
    bottom, right = min(window.top + crop_px, window.height), min(window.left + crop_px, window.width)
    return (
        taps(height, window.height, window.top, bottom, geometry),
        taps(width, window.width, window.left, right, geometry, turned=window.mirror),
    )


def _gathered(block_CHW: Tensor, taps: Taps) -> Tensor:
    first = block_CHW.index_select(1, taps.first)
    if taps.second is None or taps.weight is None:
        return first
    return first.lerp(block_CHW.index_select(1, taps.second), taps.weight.view(-1, 1))


def _single(index: np.ndarray) -> Taps:
    start, stop = _span(index, index)
    places = index - start
    return Taps(start, stop, torch.from_numpy(places), as_stored=np.array_equal(places, np.arange(stop - start)))


def _span(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """From the smallest to one past the largest index; (0, 0) for a crop wholly past the edge."""
    return (int(first.min()), int(second.max()) + 1) if first.size else (0, 0)


@lru_cache(_SIZES)
def _nearest(stored_px: int, scaled_px: int) -> np.ndarray:
    """(scaled,) index of the stored pixel that PyTorch chooses for each pixel, found by scaling a ramp of indices."""
    ramp = torch.arange(stored_px, dtype=torch.float32).view(1, 1, -1)
    return functional.interpolate(ramp, size=scaled_px, mode="nearest-exact").view(-1).numpy().astype(np.int64)


@lru_cache(_SIZES)
def _places(stored_px: int, scaled_px: int) -> np.ndarray:
    """(scaled,) float32 position of each pixel between the stored pixels, clipped at the first.

    Rounded where PyTorch rounds (the ratio, and once at the end), so that a crop equals a part of the scaled image: the
    exact positions differ by up to 3e-5 of a pixel, which between black and white shows in the numbers.
    """
    ratio = np.float64(np.float32(stored_px) / np.float32(scaled_px))
    return np.maximum((ratio * (np.arange(scaled_px) + 0.5) - 0.5).astype(np.float32), np.float32(0))
