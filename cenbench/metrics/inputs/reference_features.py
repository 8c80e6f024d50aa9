"""Features of the real images: computed once per dataset, target and extractor, then shared by every cell."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cenbench.errors import UserError
from cenbench.files import digest, write_bytes
from cenbench.metrics.inputs.extractors import Extractor
from cenbench.work_lock import work_lock

log = logging.getLogger("cenbench")


def reference_features(
    cache: Path, key: Mapping[str, str], extractor: Extractor, batch_size: int, batches: Callable[[], Iterable[Tensor]]
) -> Tensor:
    """(N, D) float64 features of the uint8 images that `batches()` yields, from `cache` if they are there.

    `key` names the images. Batch size and device can change the last digits, so features of different ones are kept
    apart. Of several cells that ask at once, the first computes and the others read. A damaged file is logged by name
    and computed again. Raises `UserError` if the file cannot be read back.
    """
    made_by = {"extractor": extractor.identity, "batch_size": batch_size, "device": extractor.device.type}
    name = digest({**key, **made_by})[:16]
    path = cache / f"{name}.safetensors"
    asked = {**key, "extractor": extractor.identity}
    with work_lock(cache / f"{name}.lock", "the features of the real images"):
        cached = _read(path, asked)
        if cached is None:
            features_ND = torch.cat([extractor.features(batch) for batch in batches()])
            metadata = {**asked, "sha256": _sha256(features_ND)}
            write_bytes(path, safetensors.torch.save({"features_ND": features_ND}, metadata=metadata))
            cached = _read(path, asked)  # not `features_ND`, which may be aligned in another way: see `_copied`
    if cached is None:
        raise UserError("features of the real images cannot be read back", where=path, fix="check the disk, then rerun")
    return cached


def _read(path: Path, asked: Mapping[str, str]) -> Tensor | None:
    """The features in `path` if they are intact and of the images and extractor `asked` for."""
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            features_ND = _copied(file.get_tensor("features_ND"))
            written: dict[str, str] = dict(file.metadata())
            expected = written.pop("sha256")
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        log.warning("%s is damaged (%s): its features are computed again", path, error)
        return None
    if written != dict(asked):
        # The file's name is a digest of what was asked for, but files are copied and renamed.
        log.warning("%s holds the features of other images or another extractor: computed again", path)
        return None
    if _sha256(features_ND) != expected:
        log.warning(
            "%s is damaged (its SHA-256 differs from the one stored in it): its features are computed again", path
        )
        return None
    return features_ND


def _copied(features_ND: Tensor) -> Tensor:
    """A copy that outlives changes to the file it is mapped from.

    The last digit of a matrix product depends on how the matrices are aligned in memory. Every cell uses the alignment
    of the mapped file, an odd multiple of 8 bytes, because numbers have been published with it.
    """
    memory = torch.empty(features_ND.numel() + 1, dtype=torch.float64)  # starts at a multiple of 64 bytes
    return memory[1:].view_as(features_ND).copy_(features_ND)


def _sha256(features_ND: Tensor) -> str:
    return hashlib.sha256(features_ND.contiguous().numpy().tobytes()).hexdigest()
