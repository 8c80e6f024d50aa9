"""Taskonomy: the sample building the released code of CEN uses, or the files of Omnidata's downloader.

Source: paper.md#taskonomy.

A view is one view of a point in a building. Its files are `point_P_view_V_domain_D.png`, 512 x 512, in a folder per
domain. Folders of buildings may lie above or below the domain's, so one rule covers both layouts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cenbench.data.modality import ModalityDeclaration
from cenbench.data.official.adapter import Adapter, OfficialFile, Sample, Scan
from cenbench.data.official.images import read_image, resize_bilinear, resize_nearest
from cenbench.data.official.taskonomy_splits import LISTS, choose_views
from cenbench.data.official.taskonomy_views import find_views
from cenbench.matrix.specs import DatasetSpec

SIZE = (512, 512)
MISSING_DEPTH = 65535
EDGE_TOPS = {"edge_texture": 11355, "edge_occlusion": 11584}
"""The released code divides 16-bit edges by these values (paper.md#translation-images)."""
STORED = {"reshading": "shade", "edge_texture": "texture", "edge_occlusion": "edge"}
"""Domain -> name in a task, for domains whose names differ."""


class Taskonomy(Adapter):
    """Views of indoor scans, each in up to ten domains."""

    NAME = "taskonomy"
    TITLE = "Taskonomy"
    LICENCE = (
        "the Taskonomy licence (non-commercial research; github.com/StanfordVL/taskonomy/blob/master/data/LICENSE)"
    )
    CITATION = """@inproceedings{zamir2018taskonomy,
  title = {Taskonomy: Disentangling Task Transfer Learning},
  author = {Zamir, Amir R. and Sax, Alexander and Shen, William B. and Guibas, Leonidas and Malik, Jitendra and
            Savarese, Silvio},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2018}
}"""
    URL = "https://taskonomy.stanford.edu"
    FILES = (
        OfficialFile(
            "rgb/, normal/, reshading/, depth_euclidean/, depth_zbuffer/, edge_occlusion/, edge_texture/",
            "github.com/alexsax/taskonomy-sample-model-1 (one building), or omnitools.download --components taskonomy",
        ),
        OfficialFile(
            LISTS["train"], "image2image_translation/data of github.com/yikaiw/CEN: the released code's 1,000 views"
        ),
        OfficialFile(
            LISTS["val"], "image2image_translation/data of github.com/yikaiw/CEN: the released code's 500 views"
        ),
    )

    def scan(self, raw: Path, spec: DatasetSpec) -> Scan:
        samples, sources, excluded = choose_views(raw, find_views(raw), spec)
        stored = {name: _MODALITIES[name] for name in _MODALITIES if _DOMAINS.get(name, name) in samples[0].files}
        return Scan(samples, stored, sources, excluded)

    def read(self, raw: Path, spec: DatasetSpec, sample: Sample) -> dict[str, np.ndarray]:
        return {
            STORED.get(domain, domain): _read_domain(raw / path, domain, spec.shape_px)
            for domain, path in sample.files.items()
        }


def _read_domain(path: Path, domain: str, shape_px: tuple[int, int]) -> np.ndarray:
    """One image, resized to `shape_px`, with the type declared below."""
    if domain.startswith("depth"):
        depth_HW = read_image(path, channels=1, bits=16, size=SIZE)
        return resize_nearest(np.where(depth_HW == MISSING_DEPTH, 0, depth_HW).astype(np.uint16), shape_px)
    if domain in EDGE_TOPS:
        edge_HW = read_image(path, channels=1, bits=(8, 16), size=SIZE)
        if edge_HW.dtype == np.uint8:  # the same fraction of full scale in 16 bits
            edge_HW = edge_HW.astype(np.uint16) * 257
        return resize_bilinear(np.minimum(edge_HW, EDGE_TOPS[domain]).astype(np.uint16), shape_px)
    if domain.startswith("segment"):
        # Only equality of segment numbers has a meaning, so indices of any palette will do.
        return resize_nearest(read_image(path, channels=1, size=SIZE, palette_indices=True), shape_px)
    if domain == "reshading":
        image = read_image(path, channels=(1, 3), size=SIZE)
        gray_HW = image if image.ndim == 2 else np.rint(image.mean(axis=2)).astype(np.uint8)
        return resize_bilinear(gray_HW, shape_px)
    return resize_bilinear(read_image(path, channels=3, size=SIZE), shape_px)


_DEPTH_RANGE = (1, 65534)
_SEGMENTS = ModalityDeclaration("uint8", 1, "number of a segment; nothing follows from its size", (0, 255))
_MODALITIES = {
    "rgb": ModalityDeclaration("uint8", 3, "sRGB colour", (0, 255)),
    "depth_euclidean": ModalityDeclaration("uint16", 1, "1/512 m along the viewing ray", _DEPTH_RANGE, 0),
    "depth_zbuffer": ModalityDeclaration("uint16", 1, "1/512 m along the optical axis", _DEPTH_RANGE, 0),
    "normal": ModalityDeclaration("uint8", 3, "127.5 + 127.5 n, as published", (0, 255)),
    "shade": ModalityDeclaration("uint8", 1, "reshading: gray level of the scan under a new light", (0, 255)),
    "texture": ModalityDeclaration(
        "uint16", 1, "edge_texture: Canny's strength, cut off at 11355", (0, EDGE_TOPS["edge_texture"])
    ),
    "edge": ModalityDeclaration(
        "uint16", 1, "edge_occlusion: Sobel of depth, cut off at 11584", (0, EDGE_TOPS["edge_occlusion"])
    ),
    "principal_curvature": ModalityDeclaration(
        "uint8", 3, "two principal curvatures about 127, as published", (0, 255)
    ),
    "segment_unsup2d": _SEGMENTS,
    "segment_unsup25d": _SEGMENTS,
}
_DOMAINS = {stored: domain for domain, stored in STORED.items()}
