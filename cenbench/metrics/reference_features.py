"""Features of the real images: computed once a dataset, target and extractor, shared by every cell."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cenbench.file_lock import file_lock
from cenbench.files import digest, write_bytes
from cenbench.metrics.extractors import Extractor

log = logging.getLogger("cenbench")


def reference_features(
    cache: Path, key: Mapping[str, str], extractor: Extractor, batches: Callable[[], Iterable[Tensor]]
) -> Tensor:
    """(N, D) float64 features of the uint8 images that `batches()` yields, from `cache` where they are there.

    `key` names the images. Cells that ask at once wait for the first: it computes, the others read. A damaged file is
    logged by name and computed again.
    """
    name = digest({**key, "extractor": extractor.identity})[:16]
    path = cache / f"{name}.safetensors"
    with file_lock(cache / f"{name}.lock"):
        cached = _read(path)
        if cached is not None:
            return cached
        features_ND = torch.cat([extractor.features(batch) for batch in batches()])
        metadata = {**key, "extractor": extractor.identity, "sha256": _sha256(features_ND)}
        write_bytes(path, safetensors.torch.save({"features_ND": features_ND}, metadata=metadata))
        return features_ND


def _read(path: Path) -> Tensor | None:
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            features_ND: Tensor = file.get_tensor("features_ND")
            expected = file.metadata()["sha256"]
    except (SafetensorError, KeyError, TypeError, OSError) as error:
        log.warning("%s is damaged (%s): its features are computed again", path, error)
        return None
    if _sha256(features_ND) != expected:
        log.warning("%s is damaged (its sha256 is not the one written with it): computed again", path)
        return None
    return features_ND


def _sha256(features_ND: Tensor) -> str:
    return hashlib.sha256(features_ND.contiguous().numpy().tobytes()).hexdigest()
