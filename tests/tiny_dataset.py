"""A prepared dataset of given arrays, for tests that need no images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cenbench.data.manifest import FileEntry, Manifest, ModalityEntry, split_limits, write_manifest
from cenbench.data.prepared import Prepared
from cenbench.matrix.specs import DatasetSpec, dataset_key

RANGES = {"texture": (0, 10_000), "edge": (0, 10_000), "semantic": (0, 9)}


def write_dataset(root: Path, arrays: Mapping[str, np.ndarray], train_scenes: int) -> Prepared:
    """Write `arrays` (modality -> (N, H, W[, 3])) as a prepared dataset under `root`, and open it."""
    scenes, height, width = next(iter(arrays.values())).shape[:3]
    spec = DatasetSpec(
        name="tiny",
        size_px=height,
        width_px=width,
        train_scenes=train_scenes,
        val_scenes=scenes - train_scenes,
        seed=1,
    )
    return write_dataset_of(spec, root, arrays)


def write_dataset_of(spec: DatasetSpec, root: Path, arrays: Mapping[str, np.ndarray]) -> Prepared:
    """The same with a given spec, whose size and number of scenes the arrays have."""
    folder = root / dataset_key(spec)
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    entries = {
        name: ModalityEntry(
            file=f"{name}.npy",
            dtype=array.dtype.name,
            shape=array.shape,
            unit="a number",
            range=RANGES.get(name, (0, np.iinfo(array.dtype).max)),
        )
        for name, array in arrays.items()
    }
    stored = {path.name: path.read_bytes() for path in folder.glob("*.npy")}
    files = {name: FileEntry(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in stored.items()}
    manifest = Manifest(
        name=spec.name,
        version=spec.version,
        spec=spec,
        size_px=spec.shape_px,
        splits=split_limits(spec),
        modalities=entries,
        classes=tuple(f"class{number}" for number in range(10)),
        files=files,
        licence="none",
        citation="none",
    )
    write_manifest(folder, manifest)
    return Prepared.open(folder)
