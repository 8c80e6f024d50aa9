"""Values that are valid alone but that no run can use: reported by `cenbench plan`, not after hours by a cell.

Each bound is far above what the paper, or any dataset here, needs: they catch a zero too many. A short trial of a
longer run keeps its settings: an evaluation batch larger than the split, a warm-up longer than the training and a crop
larger than the images (which are padded) all run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from cenbench.matrix.specs import (
    RENDERED,
    DatasetSpec,
    SegmentationEvaluation,
    SegmentationNet,
    SegmentationProtocol,
    TrainingProtocol,
    TranslationEvaluation,
    TranslationNet,
    TranslationProtocol,
)
from cenbench.matrix.stored_arrays import STORED
from cenbench.matrix.validation import Issue

SMALLEST_PX, LARGEST_PX = 8, 8192
"""Sides of images and crops; 2**26 pixels, the largest image that is decoded."""
MOST_SCENES = 1_000_000
WIDEST = 4096
"""Channels of a first layer or a decoder; the deepest layers have eight times as many."""
MOST_STEPS = 10_000_000
"""Optimiser steps per cell; the paper's longest training has 300,000."""
MOST_SUBSETS = 100_000
SMALLEST_SCALE, LARGEST_SCALE = 1 / 16, 16.0
_LARGEST_ENLARGEMENT = 4
"""Longest side of a crop, or of a resized image, over that of the images."""
_LAST_CONV = 200
"""No encoder has as many convolutions."""


class Parts(Protocol):
    """The parts of a cell, or of all cells of a task kind in a preset."""

    @property
    def dataset(self) -> DatasetSpec: ...
    @property
    def network(self) -> SegmentationNet | TranslationNet: ...
    @property
    def protocol(self) -> SegmentationProtocol | TranslationProtocol: ...
    @property
    def evaluation(self) -> SegmentationEvaluation | TranslationEvaluation: ...


class Excess(NamedTuple):
    """A value that no run can use."""

    part: str
    """`dataset`, `network`, `protocol` or `evaluation`."""
    key: str
    found: object
    expected: str

    def issue(self, *location: str) -> Issue:
        """As an issue of a file that has the part at `location`."""
        return Issue(".".join((*location, self.part, self.key)), "value out of range", str(self.found), self.expected)


def excesses(parts: Parts) -> Iterator[Excess]:
    """Every value of these parts that no run can use."""
    yield from _of_dataset(parts.dataset)
    yield from _of_network(parts.network, parts.protocol, parts.dataset.pretrain_scenes)
    yield from _of_protocol(parts)
    yield from _of_evaluation(parts)


def _of_dataset(dataset: DatasetSpec) -> Iterator[Excess]:
    yield from _outside("dataset", "size_px", dataset.size_px, SMALLEST_PX, LARGEST_PX)
    yield from _outside("dataset", "width_px", dataset.width_px, SMALLEST_PX, LARGEST_PX)
    for key in ("train_scenes", "val_scenes", "tune_scenes", "pretrain_scenes"):
        yield from _outside("dataset", key, getattr(dataset, key), 0, MOST_SCENES)
    yield from _outside("dataset", "buildings", dataset.buildings, 1, dataset.scenes, "the dataset's scenes")
    current = RENDERED.get(dataset.name, 1)
    if dataset.name in STORED and dataset.version != current:
        yield Excess("dataset", "version", dataset.version, f"{current}: nothing here can make another version")


def _of_network(network: SegmentationNet | TranslationNet, protocol: TrainingProtocol, scenes: int) -> Iterator[Excess]:
    """`scenes` are those of the split `pretrain`."""
    for key in ("width", "decoder_width", "generator_width", "discriminator_width"):
        yield from _outside("network", key, getattr(network, key, None), 1, WIDEST)
    if isinstance(network, TranslationNet):
        layers = (protocol.crop_px // 3).bit_length() - 1  # which leave a map of 3 px for the last two convolutions
        unit = f"a crop of {protocol.crop_px} px"
        yield from _outside("network", "discriminator_layers", network.discriminator_layers, 1, max(layers, 1), unit)
    elif network.pretrained == "embedded":
        steps = network.pretraining.epochs * (scenes // network.pretraining.batch_size)
        if steps > MOST_STEPS:
            yield Excess("network", "pretraining.epochs", f"{steps:,} steps", f"at most {MOST_STEPS:,} steps")
        warmup = network.pretraining.warmup_steps
        yield from _outside("network", "pretraining.warmup_steps", warmup, 0, MOST_STEPS)


def _of_protocol(parts: Parts) -> Iterator[Excess]:
    protocol, height, width = parts.protocol, *parts.dataset.shape_px
    side = max(height, width)
    scenes = parts.dataset.split_sizes.get(protocol.train_split, 0)
    steps_per_epoch = max(scenes // protocol.batch_size, 1)
    steps = protocol.total_epochs * steps_per_epoch
    if isinstance(protocol, SegmentationProtocol):
        yield from _outside("protocol", "min_side_px", protocol.min_side_px, 1, LARGEST_PX)
        yield from _outside("protocol", "scale_min", protocol.scale_min, SMALLEST_SCALE, LARGEST_SCALE)
        yield from _outside("protocol", "scale_max", protocol.scale_max, SMALLEST_SCALE, LARGEST_SCALE)
        scale = max(protocol.scale_max, (protocol.min_side_px or 0) / min(height, width))
        largest = int(min(side * scale * _LARGEST_ENLARGEMENT, LARGEST_PX))
        unit = f"{_LARGEST_ENLARGEMENT} times the longer side at the largest scale"
        yield from _outside("protocol", "crop_px", protocol.crop_px, SMALLEST_PX, largest, unit)
        if steps > MOST_STEPS:
            yield Excess("protocol", "phases", f"{steps:,} steps", f"at most {MOST_STEPS:,} steps")
    else:
        most = min(side * _LARGEST_ENLARGEMENT, LARGEST_PX)
        unit = f"{_LARGEST_ENLARGEMENT} times the image's longer side"
        yield from _outside("protocol", "resize_px", protocol.resize_px, 1, max(most, 2 * protocol.crop_px), unit)
        yield from _outside("protocol", "crop_px", protocol.crop_px, 1, most, unit)
        if steps > MOST_STEPS:
            found = f"{protocol.total_epochs} ({steps:,} steps)"
            yield Excess("protocol", "epochs", found, f"at most {MOST_STEPS // steps_per_epoch} ({MOST_STEPS:,} steps)")
    yield from _outside("protocol", "warmup_steps", protocol.warmup_steps, 0, MOST_STEPS)
    for conv in protocol.traced_convs:
        yield from _outside("protocol", "traced_convs", conv, 1, _LAST_CONV)
    yield from _outside("protocol", "select_every_epochs", protocol.select_every_epochs, 1, MOST_STEPS)


def _of_evaluation(parts: Parts) -> Iterator[Excess]:
    evaluation = parts.evaluation
    yield from _outside("evaluation", "batch_size", evaluation.batch_size, 1, MOST_SCENES)
    if isinstance(evaluation, SegmentationEvaluation):
        for scale in evaluation.scales:
            yield from _outside("evaluation", "scales", scale, SMALLEST_SCALE, LARGEST_SCALE)
    else:
        yield from _outside("evaluation", "kid_subsets", evaluation.kid_subsets, 1, MOST_SUBSETS)


def _outside(
    part: str, key: str, found: float | None, least: float, most: float, unit: str | None = None
) -> Iterator[Excess]:
    """The excess if a value is not between `least` and `most`; `unit` is what `most` is."""
    if found is not None and not least <= found <= most:
        yield Excess(part, key, found, f"{least:g} to {most:,}" + (f" ({unit})" if unit else ""))
