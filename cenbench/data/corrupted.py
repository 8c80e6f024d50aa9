"""One split of a prepared dataset with one of its input modalities corrupted or absent. Targets stay as they are."""

from __future__ import annotations

import numpy as np

from cenbench.data.corruption import CORRUPTIONS, corruption_generator
from cenbench.data.manifest import ModalityEntry
from cenbench.data.prepared import Prepared
from cenbench.data.transforms import IMAGENET_MEAN, Kind


class SplitView(Prepared):
    """The scenes of one split, in order and numbered from 0, with some arrays replaced by others of their shape.

    Its digest is that of the whole dataset: features of targets, which never change, are found again.
    """

    def __init__(self, prepared: Prepared, split: str, replaced: dict[str, np.ndarray]) -> None:
        super().__init__(prepared.folder, prepared.manifest)
        self._whole, self._split, self._replaced = prepared, split, replaced

    def array(self, modality: str) -> np.ndarray:
        """(N, H, W) or (N, H, W, 3) of the split's scenes."""
        if modality in self._replaced:
            return self._replaced[modality]
        return split_array(self._whole, self._split, modality)

    def indices(self, split: str) -> np.ndarray:
        """0 to N - 1. Raises ValueError for any other split."""
        if split != self._split:
            raise ValueError(f"this view holds the split {self._split}, not {split}")
        return np.arange(len(self._whole.indices(split)))


def corrupted(prepared: Prepared, name: str, split: str, kind: str, strength: float, seed: int) -> SplitView:
    """The split with the stored array `name` under a corruption of `cenbench.data.corruption`, held in memory.

    Random numbers follow from `seed`, `kind` and the scene's place in the split.
    """
    entry = prepared.manifest.modalities[name]
    array = split_array(prepared, split, name)
    changed = np.empty_like(array)
    for scene, stored in enumerate(array):
        changed[scene] = CORRUPTIONS[kind](stored, strength, entry, corruption_generator(kind, seed, scene))
    return SplitView(prepared, split, {name: changed})


def absent(prepared: Prepared, name: str, split: str, kind: Kind) -> SplitView:
    """The split without the stored array `name`, as a task of this kind sees it: `absent_value` everywhere."""
    array = split_array(prepared, split, name)
    value = absent_value(name, prepared.manifest.modalities[name], kind)
    return SplitView(prepared, split, {name: np.broadcast_to(value, array.shape)})


def absent_value(name: str, entry: ModalityEntry, kind: Kind) -> np.ndarray:
    """The stored value that stands for an absent input, float32: one, or one per colour.

    Depth: the value for missing depth. Everything else: what is zero once normalised, which is ImageNet's mean colour
    for the rgb of segmentation, and the middle of the range otherwise.
    """
    if name.startswith("depth"):
        return np.asarray(entry.missing or 0, np.float32)
    if kind == "segmentation" and name == "rgb":
        return 255 * np.asarray(IMAGENET_MEAN, np.float32)
    return np.asarray(sum(entry.range) / 2, np.float32)


def split_array(prepared: Prepared, split: str, modality: str) -> np.ndarray:
    """The array of a modality for the scenes of a split, which are adjacent; a view."""
    rows = prepared.indices(split)
    return prepared.array(modality)[int(rows[0]) : int(rows[-1]) + 1]
