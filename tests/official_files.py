"""Small stand-ins for the published datasets, in exactly their formats: byte layouts, axis orders, names, lists.

A stand-in is a raw folder and the arrays that reading it must give. `tests/test_data_official.py` runs one suite on all
of them. The stand-ins of a dataset are in `official_NAME.py` beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cenbench.matrix.specs import DatasetSpec


@dataclass(frozen=True)
class Fault:
    """A fault in a raw folder, and the error it must cause."""

    damage: Callable[[Path], object]
    """Damages a raw folder made by `StandIn.write`."""
    message: str
    """Regular expression the `UserError` must match."""
    names: tuple[str, ...] = ()
    """Files or ids that the message must name."""


@dataclass(frozen=True)
class StandIn:
    """One raw folder in a published format."""

    label: str
    """Dataset and layout, e.g. `nyudv2-mat`."""
    spec: DatasetSpec
    write: Callable[[Path], object]
    """Fills an empty raw folder with at least 9 samples, so that there is more than one shard (of 8)."""
    expected: Callable[[], list[dict[str, np.ndarray]]]
    """Arrays by modality of every prepared scene in order, from a formula that shares no code with the adapter."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """At least: a missing file, a truncated file, a wrong size, a wrong bit depth, and labels out of range if any."""
    excludes: Mapping[str, tuple[Callable[[Path], object], dict[str, str]]] = field(default_factory=dict)
    """Name -> (what makes samples unusable, {id: regular expression of the reason} expected in the manifest)."""
    tolerance: int = 0
    """Largest error of a blended value (colour, edges) in stored units: 1 if it is resized, for rounding."""


def write_image(path: Path, array: np.ndarray) -> None:
    """A PNG of (H, W) u8 or u16, or (H, W, 3) u8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, format="PNG", compress_level=1)


def truncate(path: Path, share: float = 0.6) -> None:
    """Keep only the beginning of a file, like a broken download."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def nearest(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) resized to `size` by PyTorch: the pixel at each centre."""
    image = torch.from_numpy(array.astype(np.float64))[None, None]
    return torch.nn.functional.interpolate(image, size=size, mode="nearest-exact")[0, 0].numpy().astype(array.dtype)


def bilinear(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W[, 3]) resized to `size` by PyTorch's antialiased filter, rounded."""
    image = torch.from_numpy(np.atleast_3d(array).astype(np.float64)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)
    values = resized[0].permute(1, 2, 0).round().numpy().astype(array.dtype)
    return values if array.ndim == 3 else values[..., 0]
