"""Every translation metric of every output stream, from batches as they come; features are kept, images are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cenbench.metrics import fid, kid
from cenbench.metrics.distance import Distance
from cenbench.metrics.extractors import Extractor
from cenbench.metrics.images import to_uint8


class TranslationScores:
    """FID, KID, MAE, RMSE and MSE of S output streams against the real set's features `real_ND`.

    `to_bytes` makes the uint8 images that features are of, from [-1, 1]; the real set's have to be made by the same.
    """

    def __init__(
        self,
        streams: Sequence[str],
        extractor: Extractor,
        real_ND: Tensor,
        kid_subsets: int,
        kid_subset_size: int,
        kid_seed: int,
        to_bytes: Callable[[Tensor], Tensor] = to_uint8,
    ) -> None:
        self._streams, self._extractor, self._real_ND = tuple(streams), extractor, real_ND
        self._kid = (kid_subsets, kid_subset_size, kid_seed)
        self._to_bytes = to_bytes
        self._features: list[Tensor] = []
        self._distance = Distance(len(self._streams), extractor.device)

    @property
    def stand_in(self) -> dict[str, str]:
        """metric -> label, for those whose features are a stand-in's."""
        label = self._extractor.stand_in
        return {} if label is None else dict.fromkeys((*fid.KEYS, *kid.KEYS), label)

    def update(self, image_BSCHW: Tensor, target_BCHW: Tensor) -> None:
        """Add a batch of generated images and their targets, in [-1, 1]."""
        B, S = image_BSCHW.shape[:2]
        features = self._extractor.features(self._to_bytes(image_BSCHW.flatten(0, 1)))
        self._features.append(features.unflatten(0, (B, S)))
        self._distance.update(image_BSCHW, target_BCHW)

    def compute(self) -> dict[str, dict[str, float]]:
        """stream -> metric -> value."""
        features_SND = torch.cat(self._features).transpose(0, 1)
        return {
            name: {
                "fid": fid.compute(fake_ND, self._real_ND),
                "kid_x100": kid.compute(fake_ND, self._real_ND, *self._kid),
                **distance,
            }
            for name, fake_ND, distance in zip(self._streams, features_SND, self._distance.compute(), strict=True)
        }
