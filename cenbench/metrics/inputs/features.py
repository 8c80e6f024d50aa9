"""Features of generated and real images, for the metrics that need features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cenbench.metrics.inputs.extractors import Extractor
from cenbench.metrics.inputs.images import to_uint8


@dataclass(frozen=True)
class Subsets:
    """Random subsets, for metrics that are a mean over subsets."""

    count: int
    size: int
    seed: int


@dataclass(frozen=True)
class FeatureSets:
    """What a metric that needs features is computed from: float64 features on the CPU, one row per image."""

    fake_ND: Tensor
    real_ND: Tensor
    subsets: Subsets


class Features:
    """Features of the images of each output stream, against those of the real set, `real_ND`. No image is kept.

    `to_bytes` makes the uint8 images that features are extracted from, out of [-1, 1]; those of the real set must have
    been made in the same way.
    """

    def __init__(
        self,
        streams: Sequence[str],
        extractor: Extractor,
        real_ND: Tensor,
        subsets: Subsets,
        to_bytes: Callable[[Tensor], Tensor] = to_uint8,
    ) -> None:
        self.streams, self._extractor, self._real_ND = tuple(streams), extractor, real_ND
        self._subsets, self._to_bytes = subsets, to_bytes
        self._batches: list[Tensor] = []

    def update(self, image_BSCHW: Tensor) -> None:
        """Add a batch of generated images, in [-1, 1]. Raises `UserError` for a value that is not a number."""
        features_PD = self._extractor.features(self._to_bytes(image_BSCHW.flatten(0, 1)))
        self._batches.append(features_PD.unflatten(0, image_BSCHW.shape[:2]))

    def sets(self) -> dict[str, FeatureSets]:
        """stream -> its generated images' features and the real ones."""
        fake_SND = torch.cat(self._batches).transpose(0, 1)
        return {
            stream: FeatureSets(fake_ND, self._real_ND, self._subsets)
            for stream, fake_ND in zip(self.streams, fake_SND, strict=True)
        }
