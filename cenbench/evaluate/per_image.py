"""Per-image scores: what a metric of any selection of the validation images is computed from. Torch-free.

One safetensors file beside the record, `per_image.safetensors`; images are in the order of the validation split:

    STREAM/METRIC                float64 (N,)   each image's mean of the metric's `values`, for metrics that need pixels
    STREAM/confusion.offsets     int64 (N + 1,) image n has the entries offsets[n] to offsets[n + 1] of the next three
    STREAM/confusion.truth       uint8          class in the ground truth
    STREAM/confusion.prediction  uint8          class predicted
    STREAM/confusion.pixels      uint32         how many pixels have both
    classes                      int64          number of classes
    thin                         int64 (T,)     labels of the dataset's thin classes, if it has any
    STREAM/boundary.*            as confusion.* of the pixels near the boundary of their class; class number `classes`
                                                stands for all other pixels (`cenbench/metrics/inputs/boundaries.py`)
    STREAM/edges.PART            float64 (N,)   each image's sums of absolute errors and numbers of values near edges of
                                                its target and away from them (`cenbench/metrics/inputs/edges.py`)

Only counts that are not zero are stored, six bytes each. With 100 pairs of a true and a predicted class in each image,
the 654 images x 3 streams of NYUDv2 take 1.2 MB; dense, as uint32, they would take 12.6 MB. The file of a skipped cell
holds no array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

FILE = "per_image.safetensors"
_COUNTS, _BOUNDARY, _EDGES = "confusion.", "boundary.", "edges."
_PARTS = ("offsets", "truth", "prediction", "pixels")


@dataclass(frozen=True)
class ImageConfusion:
    """Confusion counts of each image for one stream; see the module's table."""

    classes: int
    offsets: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    pixels: np.ndarray

    @property
    def images(self) -> int:
        return len(self.offsets) - 1

    def pooled_KK(self, times_N: np.ndarray | None = None) -> np.ndarray:
        """int64 counts `[ground truth, prediction]`, summed over the images; `times_N` says how often each is drawn."""
        weights = self.pixels.astype(np.int64)
        if times_N is not None:
            weights = weights * np.repeat(times_N.astype(np.int64), np.diff(self.offsets))
        pooled_KK = np.zeros((self.classes, self.classes), np.int64)
        np.add.at(pooled_KK, (self.truth, self.prediction), weights)
        return pooled_KK


@dataclass(frozen=True)
class PerImage:
    """A cell's per-image scores: stream -> confusion counts, and stream -> metric -> float64 (N,)."""

    images: int = 0
    confusion: Mapping[str, ImageConfusion] = field(default_factory=dict)
    means: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    boundaries: Mapping[str, ImageConfusion] = field(default_factory=dict)
    """stream -> confusion counts near boundaries."""
    edges: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    """stream -> part -> float64 (N,)."""
    thin: tuple[int, ...] = ()
    """Labels of the thin classes."""


class ConfusionCollector:
    """Collects the confusion counts of images, a batch at a time."""

    def __init__(self, streams: Sequence[str], classes: int) -> None:
        self._classes, self._images = classes, 0
        self._entries: dict[str, list[tuple[np.ndarray, ...]]] = {stream: [] for stream in streams}

    def add(self, counts_BSKK: np.ndarray) -> None:
        """Add a batch of dense counts `[image, stream, ground truth, prediction]`."""
        for number, entries in enumerate(self._entries.values()):
            image, truth, prediction = np.nonzero(counts_BSKK[:, number])
            pixels = counts_BSKK[image, number, truth, prediction]
            entries.append((image + self._images, truth, prediction, pixels))
        self._images += len(counts_BSKK)

    def collected(self) -> PerImage:
        """Everything added so far."""
        return PerImage(self._images, confusion={stream: self._of(stream) for stream in self._entries})

    def _of(self, stream: str) -> ImageConfusion:
        image, truth, prediction, pixels = (np.concatenate(parts) for parts in zip(*self._entries[stream], strict=True))
        offsets = np.searchsorted(image, np.arange(self._images + 1)).astype(np.int64)
        return ImageConfusion(
            self._classes, offsets, truth.astype(np.uint8), prediction.astype(np.uint8), pixels.astype(np.uint32)
        )


def to_bytes(scores: PerImage) -> bytes:
    """The file's content; the same scores give the same bytes."""
    arrays = {f"{stream}/{name}": mean_N for stream, means in scores.means.items() for name, mean_N in means.items()}
    for prefix, streams in ((_COUNTS, scores.confusion), (_BOUNDARY, scores.boundaries)):
        for stream, counts in streams.items():
            parts = (counts.offsets, counts.truth, counts.prediction, counts.pixels)
            arrays |= {f"{stream}/{prefix}{part}": array for part, array in zip(_PARTS, parts, strict=True)}
    for counts in scores.confusion.values():
        arrays["classes"] = np.array(counts.classes, np.int64)
    if scores.thin:
        arrays["thin"] = np.array(scores.thin, np.int64)
    for stream, sums in scores.edges.items():
        arrays |= {f"{stream}/{_EDGES}{part}": sum_N for part, sum_N in sums.items()}
    return safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in arrays.items()})


def from_bytes(data: bytes) -> PerImage:
    """What `to_bytes` made. ValueError where the content is not that, whatever it is."""
    try:
        arrays = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"not a safetensors file: {error}") from None
    confusion: dict[str, ImageConfusion] = {}
    boundaries: dict[str, ImageConfusion] = {}
    means: dict[str, dict[str, np.ndarray]] = {}
    edges: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        stream, _, rest = name.rpartition("/")
        if rest == f"{_COUNTS}offsets":
            confusion[stream] = _confusion(arrays, stream, _COUNTS)
        elif rest == f"{_BOUNDARY}offsets":
            boundaries[stream] = _confusion(arrays, stream, _BOUNDARY, more=1)
        elif stream and rest.startswith(_EDGES):
            edges.setdefault(stream, {})[rest.removeprefix(_EDGES)] = _mean(name, array)
        elif stream and not rest.startswith((_COUNTS, _BOUNDARY)):
            means.setdefault(stream, {})[rest] = _mean(name, array)
    counts = {counts.images for counts in (*confusion.values(), *boundaries.values())}
    counts |= {len(mean_N) for values in (*means.values(), *edges.values()) for mean_N in values.values()}
    if len(counts) > 1:
        raise ValueError(f"arrays of different numbers of images: {sorted(counts)}")
    return PerImage(counts.pop() if counts else 0, confusion, means, boundaries, edges, _thin(arrays))


def _confusion(arrays: Mapping[str, np.ndarray], stream: str, prefix: str, more: int = 0) -> ImageConfusion:
    """The counts under this prefix, of `more` classes than the dataset's."""
    names = ("classes", *(f"{stream}/{prefix}{part}" for part in _PARTS))
    if missing := [name for name in names if name not in arrays]:
        raise ValueError(f"no array {missing[0]}")
    classes, offsets, truth, prediction, pixels = (arrays[name] for name in names)
    dtypes = [array.dtype for array in (classes, offsets, truth, prediction, pixels)]
    if dtypes != [np.int64, np.int64, np.uint8, np.uint8, np.uint32] or classes.ndim:
        raise ValueError(f"{stream}: arrays of unexpected types: {', '.join(map(str, dtypes))}")
    entries = len(pixels)
    ordered = offsets.ndim == 1 and len(offsets) > 0 and offsets[0] == 0 and bool((np.diff(offsets) >= 0).all())
    if not ordered or offsets[-1] != entries or truth.shape != (entries,) or prediction.shape != (entries,):
        raise ValueError(f"{stream}: offsets that do not fit the entries")
    if entries and max(int(truth.max()), int(prediction.max())) >= int(classes) + more:
        raise ValueError(f"{stream}: a class over {int(classes) + more - 1}")
    return ImageConfusion(int(classes) + more, offsets, truth, prediction, pixels)


def _thin(arrays: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    if "thin" not in arrays:
        return ()
    labels, classes = arrays["thin"], arrays.get("classes")
    if labels.dtype != np.int64 or labels.ndim != 1 or classes is None or classes.ndim:
        raise ValueError("thin: not a list of labels")
    if not all(0 <= label < int(classes) for label in labels):
        raise ValueError(f"thin: labels out of range: {labels.tolist()}")
    return tuple(labels.tolist())


def _mean(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float64 or array.ndim != 1 or not bool(np.isfinite(array).all()):
        raise ValueError(f"{name}: not a list of finite float64")
    return array
