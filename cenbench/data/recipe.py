"""What a prepared dataset is made from: its scenes in order, what makes their arrays, and what to say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cenbench.data.manifest import FileEntry, Manifest, ModalityEntry, SourceEntry
from cenbench.data.modality import ModalityDeclaration
from cenbench.matrix.specs import DatasetSpec, dataset_key


@dataclass(frozen=True)
class Recipe:
    """A dataset to be made: what is in it, and the function that makes the arrays of one scene."""

    spec: DatasetSpec
    modalities: Mapping[str, ModalityDeclaration]
    scenes: Sequence[Any]
    """What `make` is called with, one a scene, in order: train, then val."""
    make: Callable[[Any], Mapping[str, np.ndarray]]
    """Arrays (H, W) or (H, W, 3) by modality; a pure function that runs in other processes. `UserError`: unusable."""
    doing: str
    """What it does, for the progress: `rendering`, `reading`."""
    classes: tuple[str, ...]
    licence: str
    citation: str
    fingerprint: Callable[[], str] | None = None
    """Text that changes with the files the scenes are read from: shards made from other files are not continued."""
    sources: Callable[[], tuple[SourceEntry, ...]] = tuple
    """What the scenes were made from, for the manifest; asked for once all are read."""
    names: tuple[str, ...] = ()
    """What the dataset itself calls its scenes, in order; empty where it has no names for them."""
    excluded: Mapping[str, str] = field(default_factory=dict)
    """Samples of the dataset's lists that were left out -> why."""

    @property
    def key(self) -> str:
        return dataset_key(self.spec)

    def shape(self, modality: str) -> tuple[int, ...]:
        """Of the array of a modality: (N, H, W) or (N, H, W, 3)."""
        channels = self.modalities[modality].channels
        whole = (len(self.scenes), *self.spec.shape_px)
        return (*whole, channels) if channels > 1 else whole

    def manifest(self, files: dict[str, FileEntry]) -> Manifest:
        """What the finished dataset says about itself."""
        train = self.spec.train_scenes
        modalities = {
            name: ModalityEntry(
                file=f"{name}.npy",
                dtype=declared.dtype,
                shape=self.shape(name),
                unit=declared.unit,
                range=declared.range,
                missing=declared.missing,
                units_per_metre=declared.units_per_metre,
            )
            for name, declared in self.modalities.items()
        }
        return Manifest(
            name=self.spec.name,
            version=self.spec.version,
            spec=self.spec,
            size_px=self.spec.shape_px,
            splits={"train": (0, train), "val": (train, len(self.scenes))},
            modalities=modalities,
            classes=self.classes,
            files=files,
            licence=self.licence,
            citation=self.citation,
            sources=self.sources(),
            scenes=self.names,
            excluded=dict(self.excluded),
        )
