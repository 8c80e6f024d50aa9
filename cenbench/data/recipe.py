"""A recipe for a prepared dataset: its scenes in order, the function that makes their arrays, and its metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cenbench.data.manifest import FileEntry, Manifest, ModalityEntry, SourceEntry, split_limits
from cenbench.data.modality import ModalityDeclaration
from cenbench.matrix.specs import DatasetSpec, dataset_key


@dataclass(frozen=True)
class Recipe:
    """Contents of a dataset to prepare, and the function that makes the arrays of one scene."""

    spec: DatasetSpec
    modalities: Mapping[str, ModalityDeclaration]
    scenes: Sequence[Any]
    """One argument of `make` per scene, in stored order: train, val, then any others."""
    make: Callable[[Any], Mapping[str, np.ndarray]]
    """Pure function that runs in worker processes and returns arrays (H, W) or (H, W, 3) by modality.

    Raises `UserError` for a scene that cannot be used.
    """
    doing: str
    """Verb for the progress display: `rendering`, `reading`."""
    classes: tuple[str, ...]
    licence: str
    citation: str
    fingerprint: Callable[[], str] | None = None
    """Text that changes with the files that scenes are read from; shards with another fingerprint are not reused."""
    sources: Callable[[], tuple[SourceEntry, ...]] = tuple
    """Source files for the manifest; called once all scenes are made."""
    names: tuple[str, ...] = ()
    """The dataset's own names of its scenes, in order; empty if they have none."""
    excluded: Mapping[str, str] = field(default_factory=dict)
    """Samples of the official lists that were left out -> reason."""
    notes: tuple[str, ...] = ()
    """What a reader of its numbers should know of how it was read, in words."""

    @property
    def key(self) -> str:
        return dataset_key(self.spec)

    def shape(self, modality: str) -> tuple[int, ...]:
        """Shape of a modality's array: (N, H, W) or (N, H, W, 3)."""
        channels = self.modalities[modality].channels
        whole = (len(self.scenes), *self.spec.shape_px)
        return (*whole, channels) if channels > 1 else whole

    def manifest(self, files: dict[str, FileEntry]) -> Manifest:
        """Manifest of the finished dataset."""
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
            splits=split_limits(self.spec),
            modalities=modalities,
            classes=self.classes,
            files=files,
            licence=self.licence,
            citation=self.citation,
            sources=self.sources(),
            scenes=self.names,
            excluded=dict(self.excluded),
            notes=self.notes,
        )
