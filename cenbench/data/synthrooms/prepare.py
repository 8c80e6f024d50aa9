"""Recipe of the synthetic dataset: the modalities stored per rendered scene, and their units."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cenbench.data.modality import ModalityDeclaration
from cenbench.data.recipe import Recipe
from cenbench.data.shards import prepare_shards
from cenbench.data.synthrooms.parts import CLASSES
from cenbench.data.synthrooms.scene import GRADIENT_RANGE, render_scene
from cenbench.errors import UserError
from cenbench.matrix.specs import RENDERED, SPLITS, DatasetSpec

_SCENES_PER_SPLIT = 10**9
"""No split has more scenes (see `PositiveInt`)."""
_DEPTH_RANGE = (1, 65535)
_MODALITIES = {
    "rgb": ModalityDeclaration("uint8", 3, "sRGB colour of a camera: one in four dark or overexposed", (0, 255)),
    "rgb_well_exposed": ModalityDeclaration("uint8", 3, "sRGB colour, well exposed and without noise", (0, 255)),
    "depth_euclidean": ModalityDeclaration(
        "uint16", 1, "1/512 m along the viewing ray, as a depth sensor sees it", _DEPTH_RANGE, 0
    ),
    "depth_zbuffer": ModalityDeclaration(
        "uint16", 1, "1/512 m along the optical axis, as a depth sensor sees it", _DEPTH_RANGE, 0
    ),
    "normal": ModalityDeclaration("uint8", 3, "127.5 + 127.5 n; axes right, up, towards the viewer", (0, 255)),
    "shade": ModalityDeclaration("uint8", 1, "0.1 + 0.9 cos to a fixed light, times 255", (0, 255)),
    "texture": ModalityDeclaration(
        "uint16", 1, "Sobel magnitude of gray rgb_well_exposed, full scale 0.35", GRADIENT_RANGE
    ),
    "edge": ModalityDeclaration(
        "uint16", 1, "Sobel magnitude of sqrt(clean distance in m), full scale 0.25 a pixel", GRADIENT_RANGE
    ),
    "semantic": ModalityDeclaration("uint8", 1, "class number", (0, len(CLASSES) - 1), 255),
}


def prepare_synthrooms(spec: DatasetSpec, root: Path, workers: int, progress: bool) -> Path:
    """Prepare `root/<key>` and return it. Raises `UserError` as `prepare_shards` does, and for an unknown version."""
    version = RENDERED[spec.name]
    if spec.version != version:
        raise UserError("the renderer has no such version", key="version", found=spec.version, expected=version)
    recipe = Recipe(
        spec=spec,
        modalities=_MODALITIES,
        scenes=scene_numbers(spec),
        make=partial(render_scene, spec),
        doing="rendering",
        classes=CLASSES,
        licence="CC0-1.0: made by this program, free of rights",
        citation="Synthetic rooms of cenbench; stand-in data, not comparable with any published dataset",
    )
    return prepare_shards(recipe, root, workers, progress)


def scene_numbers(spec: DatasetSpec) -> list[int]:
    """The number of every scene, in stored order. Splits have disjoint numbers that do not depend on their sizes."""
    sizes = spec.split_sizes
    return [SPLITS.index(split) * _SCENES_PER_SPLIT + index for split, size in sizes.items() for index in range(size)]
