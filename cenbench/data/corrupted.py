"""One split of a prepared dataset with one of its input modalities corrupted or absent. Targets stay as they are."""

from __future__ import annotations

import numpy as np

from cenbench.data.corruption import CORRUPTIONS, corruption_generator
from cenbench.data.manifest import ModalityEntry
from cenbench.data.prepared import Prepared
from cenbench.data.transforms import IMAGENET_MEAN, Kind


def corrupted(prepared: Prepared, name: str, split: str, kind: str, strength: float, seed: int) -> Prepared:
    """The split with the stored array `name` under a corruption of `cenbench.data.corruption`, held in memory.

    Random numbers follow from `seed`, `kind` and the scene's place in the split.
    """
    entry = prepared.manifest.modalities[name]
    array = prepared.split_array(split, name)
    changed = np.empty_like(array)
    for scene, stored in enumerate(array):
        changed[scene] = CORRUPTIONS[kind](stored, strength, entry, corruption_generator(kind, seed, scene))
    return prepared.of_split(split, {name: changed})


def absent(prepared: Prepared, name: str, split: str, kind: Kind) -> Prepared:
    """The split without the stored array `name`, as a task of this kind sees it: `absent_value` everywhere."""
    array = prepared.split_array(split, name)
    value = absent_value(name, prepared.manifest.modalities[name], kind)
    return prepared.of_split(split, {name: np.broadcast_to(value, array.shape)})


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
