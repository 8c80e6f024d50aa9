"""NYU Depth v2: the labelled .mat of its authors, or the folder of PNGs the released code of CEN reads.

Source: paper.md#nyudv2.

Both give 40 classes, images without the white border (468 x 625), and depth in 1/5000 m.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cenbench.data.modality import ModalityDeclaration
from cenbench.data.official import nyudv2_folder, nyudv2_mat
from cenbench.data.official.adapter import Adapter, OfficialFile, Sample, Scan, choose
from cenbench.data.official.images import resize_bilinear, resize_nearest
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec

CLASSES = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling", "books",
    "refridgerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard", "person", "night stand",
    "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture", "otherprop",
)  # fmt: skip


class NYUDv2(Adapter):
    """795 training and 654 test images of the official split, in its order."""

    NAME = "nyudv2"
    TITLE = "NYU Depth v2"
    LICENCE = "no licence is stated by its authors; for research, with citation"
    CITATION = """@inproceedings{silberman2012indoor,
  title = {Indoor Segmentation and Support Inference from {RGBD} Images},
  author = {Silberman, Nathan and Hoiem, Derek and Kohli, Pushmeet and Fergus, Rob},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year = {2012}
}"""
    URL = "https://cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html"
    FILES = (
        OfficialFile(
            nyudv2_mat.LABELED,
            "http://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat",
            bytes=2_972_037_809,
            sha256="2d724b0c0ab358aa1ce5df855e5bd14a2279ab7202efe22f32a30d612dcb86aa",
        ),
        OfficialFile(
            nyudv2_mat.SPLITS,
            "http://horatio.cs.nyu.edu/mit/silberman/indoor_seg_sup/splits.mat",
            bytes=2_626,
            md5="08e3c3aea27130ac7c01ffd739a4535f",
        ),
        OfficialFile(
            nyudv2_mat.MAPPING,
            "github.com/VainF/nyuv2-python-toolkit (894 classes to 40)",
            bytes=10_474,
            md5="e377c88729dd63af81205ac9a8634a19",
        ),
    )
    CLASSES = CLASSES

    def scan(self, raw: Path, spec: DatasetSpec) -> Scan:
        folder, archive = nyudv2_folder.found_in(raw), nyudv2_mat.found_in(raw)
        if folder and archive:
            raise UserError(
                "two versions of NYUDv2 lie side by side",
                where=raw,
                found=f"{archive} and {folder}",
                fix="keep one: move the other away, or name a folder with only one of them with --raw",
            )
        if not folder and not archive:
            raise UserError(
                "this folder holds no version of NYUDv2",
                where=raw,
                found=", ".join(sorted(path.name for path in raw.iterdir())[:10]),
                expected=f"{nyudv2_mat.LABELED}, {nyudv2_mat.SPLITS} and {nyudv2_mat.MAPPING}; "
                "or rgb/, masks/, depth/, train.txt and val.txt",
            )
        layout = nyudv2_folder if folder else nyudv2_mat
        train, val, sources = layout.scan(raw, spec)
        return Scan(choose(raw, spec, train, val), _MODALITIES, sources)

    def read(self, raw: Path, spec: DatasetSpec, sample: Sample) -> dict[str, np.ndarray]:
        layout = nyudv2_folder if sample.files else nyudv2_mat
        rgb_HWC, depth_HW, semantic_HW = layout.read(raw, spec, sample)
        return {
            "rgb": resize_bilinear(rgb_HWC, spec.shape_px),
            "depth_zbuffer": resize_nearest(depth_HW, spec.shape_px),
            "semantic": resize_nearest(semantic_HW, spec.shape_px),
        }


_MODALITIES = {
    "rgb": ModalityDeclaration("uint8", 3, "sRGB colour", (0, 255)),
    "depth_zbuffer": ModalityDeclaration(
        "uint16", 1, "1/5000 m along the optical axis", (1, 65535), 0, nyudv2_folder.UNITS_PER_METRE
    ),
    "semantic": ModalityDeclaration("uint8", 1, "class number", (0, len(CLASSES) - 1), 255),
}
