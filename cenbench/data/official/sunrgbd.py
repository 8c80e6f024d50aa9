"""SUN RGB-D: images and depth of SUNRGBD.zip, split and labels of SUNRGBDtoolbox.zip, unpacked or not.

Source: paper.md#sun-rgb-d.

The images of its four sensors differ in size; all are resized to the size in the spec.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from cenbench.data.manifest import VOID
from cenbench.data.modality import UNITS_PER_METRE
from cenbench.data.official.adapter import (
    Adapter,
    ModalityDeclaration,
    OfficialFile,
    Sample,
    Scan,
    Unusable,
    choose,
)
from cenbench.data.official.images import read_image, resize_bilinear, resize_nearest
from cenbench.data.official.nearness import check_rotation
from cenbench.data.official.raw_files import RawFiles
from cenbench.data.official.sunrgbd_toolbox import CLASSES, Frame, Labels, read_frames, split_of, to_training_labels
from cenbench.data.reading import is_data_folder
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec

META = "SUNRGBDtoolbox/Metadata/SUNRGBDMeta.mat"
LABELS = "SUNRGBDtoolbox/Metadata/SUNRGBD2Dseg.mat"
SPLIT = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
READY_LABELS = "sunrgbd_train_test_labels"
"""Folder of labels that others extracted from the toolbox: `img-%06d.png`, numbered as in SUNRGBDMeta.mat."""
_MOST_BYTES_OF_LABELS = 2**33
"""More than SUNRGBD2Dseg.mat has: the whole SUNRGBDtoolbox.zip has 0.6 GB, and its labels are compressed already."""
_FARTHEST_M = 8
_HOLES = {"filled": "holes filled", "raw": "holes as measured"}


class SUNRGBD(Adapter):
    """5,285 rooms for training, 5,050 for testing; 37 classes."""

    NAME: ClassVar[str] = "sunrgbd"
    TITLE: ClassVar[str] = "SUN RGB-D"
    LICENCE: ClassVar[str] = (
        "no licence is stated by its authors (rgbd.cs.princeton.edu): for research; it holds images of NYUDv2, "
        "Berkeley B3DO and SUN3D, whose terms hold too"
    )
    CITATION: ClassVar[str] = """@inproceedings{song2015sun,
  title = {{SUN} {RGB-D}: A {RGB-D} Scene Understanding Benchmark Suite},
  author = {Song, Shuran and Lichtenberg, Samuel P. and Xiao, Jianxiong},
  booktitle = {CVPR},
  year = {2015}
}"""
    URL: ClassVar[str] = "https://rgbd.cs.princeton.edu"
    FILES: ClassVar[tuple[OfficialFile, ...]] = (
        OfficialFile("SUNRGBD.zip", "http://rgbd.cs.princeton.edu/data/SUNRGBD.zip"),
        OfficialFile("SUNRGBDtoolbox.zip", "http://rgbd.cs.princeton.edu/data/SUNRGBDtoolbox.zip"),
    )
    CLASSES: ClassVar[tuple[str, ...]] = CLASSES

    def scan(self, raw: Path, spec: DatasetSpec) -> Scan:
        """See `Adapter.scan`. Tables of the toolbox that are not unpacked yet are unpacked beside its zip."""
        files = _raw(raw)
        meta, allsplit = files.unpacked(META), files.unpacked(SPLIT)
        train, test = split_of(read_frames(meta), allsplit)
        ready = _has_ready_labels(raw, files, test)
        sources = [META, SPLIT, *(name for name in files.archives if name == "SUNRGBD.zip")]
        if not ready:
            files.unpacked(LABELS, most_bytes=_MOST_BYTES_OF_LABELS)
            sources.append(LABELS)
        chosen = choose(
            raw,
            spec,
            [_sample(files, frame, "train", ready, spec.depth) for frame in train],
            [_sample(files, frame, "val", ready, spec.depth) for frame in test],
        )
        wrong = Unusable()
        for sample in chosen:
            for path in sample.members.values():
                if path not in files:
                    wrong.add(sample.id, f"{path} is missing")
        wrong.refuse(
            raw, "files of the official lists are missing", "unpack SUNRGBD.zip here, or put the zip itself here"
        )
        depths = [{**sample.files, **sample.members}["depth"] for sample in chosen]
        check_rotation(raw, depths, lambda name: _image(files, name, channels=1, bits=16))
        return Scan(chosen, _modalities(spec.depth), tuple(sources), notes=_raw_among_filled(raw, spec, chosen))

    def read(self, raw: Path, spec: DatasetSpec, sample: Sample) -> dict[str, np.ndarray]:
        """`rgb` u8 (H, W, 3), `depth_zbuffer` u16 (H, W), `semantic` u8 (H, W)."""
        files, paths = _raw(raw), {**sample.files, **sample.members}

        def image(role: str, channels: int, bits: int, size: tuple[int, int] | None = None) -> np.ndarray:
            formats = ("JPEG", "PNG") if role == "rgb" else ("PNG",)
            return _image(files, paths[role], channels=channels, bits=bits, size=size, formats=formats)

        rgb = image("rgb", 3, 8)
        size = rgb.shape[0], rgb.shape[1]
        depth = depth_units(image("depth", 1, 16, size))
        if "labels" in paths:
            labels = to_training_labels(image("labels", 1, 8, size), files.where(paths["labels"]))
        else:
            labels = _toolbox_labels(raw / LABELS, sample, size)
        return {
            "rgb": resize_bilinear(rgb, spec.shape_px),
            "depth_zbuffer": resize_nearest(depth, spec.shape_px),
            "semantic": resize_nearest(labels, spec.shape_px),
        }


def _image(
    files: RawFiles,
    path: str,
    *,
    channels: int,
    bits: int,
    size: tuple[int, int] | None = None,
    formats: tuple[str, ...] = ("PNG",),
) -> np.ndarray:
    """See `read_image`; from the folder or its zips."""
    where, data = files.where(path), files.read(path)
    return read_image(where, channels=channels, bits=bits, size=size, data=data, formats=formats)


def _modalities(depths: Literal["filled", "raw"]) -> dict[str, ModalityDeclaration]:
    return {
        "rgb": ModalityDeclaration("uint8", 3, "sRGB colour", (0, 255)),
        "depth_zbuffer": ModalityDeclaration(
            "uint16", 1, f"1/512 m along the optical axis, {_HOLES[depths]}; 8 m stands for all beyond",
            (1, int(_FARTHEST_M * UNITS_PER_METRE)), missing=0,
        ),
        "semantic": ModalityDeclaration("uint8", 1, "class number", (0, len(CLASSES) - 1), missing=VOID),
    }  # fmt: skip


def depth_units(stored_HW: np.ndarray) -> np.ndarray:
    """u16 as stored -> u16 in 1/512 m, 0 = missing.

    The stored bits are millimetres rotated left by three; as in the toolbox's read3dPoints.m, depth is clipped at 8 m.
    """
    millimetres_HW = (stored_HW >> 3) | (stored_HW << 13)
    metres_HW = np.minimum(millimetres_HW / 1000, _FARTHEST_M)
    units_HW = np.rint(metres_HW * UNITS_PER_METRE)
    return np.where(millimetres_HW > 0, np.maximum(units_HW, 1), 0).astype(np.uint16)


def _raw(raw: Path) -> RawFiles:
    return RawFiles(raw, (file.name for file in SUNRGBD.FILES))


def _sample(
    files: RawFiles, frame: Frame, split: Literal["train", "val"], ready: bool, depths: Literal["filled", "raw"]
) -> Sample:
    depth = frame.filled_depth if depths == "filled" and frame.filled_depth in files else frame.depth
    paths = {"rgb": frame.rgb, "depth": depth}
    if ready:
        paths["labels"] = f"{READY_LABELS}/img-{frame.number:06d}.png"
    return files.sample(f"img-{frame.number:06d}", split, paths, index=frame.number - 1)


def _raw_among_filled(raw: Path, spec: DatasetSpec, chosen: Sequence[Sample]) -> tuple[str, ...]:
    """A note of the scenes whose depth is as measured because they have no filled one; `UserError` if none has."""
    if spec.depth == "raw":
        return ("depth is as the sensor measured it (depth/), with holes",)
    bare = [sample.id for sample in chosen if "/depth_bfx/" not in {**sample.files, **sample.members}["depth"]]
    if len(bare) == len(chosen):
        raise UserError(
            "no scene has filled depth", where=raw, key="dataset.depth", found="no depth_bfx/ in any scene",
            expected="depth_bfx/, as in SUNRGBD.zip",
            fix="get SUNRGBD.zip again; or ask for the depth as measured, in the preset: dataset: {depth: raw}",
        )  # fmt: skip
    if not bare:
        return ()
    shown = ", ".join(bare[:5]) + (", ..." if len(bare) > 5 else "")
    return (f"{len(bare)} of {len(chosen)} scenes have no filled depth (depth_bfx), so theirs has holes: {shown}",)


def _has_ready_labels(raw: Path, files: RawFiles, test: Sequence[Frame]) -> bool:
    """Whether to read the ready labels instead of the toolbox's. Raises `UserError` if both exist.

    The ready labels 1 to 5,050 are test images; it is checked that SUNRGBDMeta.mat numbers them the same way.
    """
    if not is_data_folder(raw / READY_LABELS):
        return False
    if files.on_disk(LABELS):
        raise UserError(
            "two versions of the labels lie side by side", where=raw, found=f"{LABELS} and {READY_LABELS}/",
            expected="one of them", fix="move the other one away",
        )  # fmt: skip
    if [frame.number for frame in test] != list(range(1, len(test) + 1)):
        raise UserError(
            "the ready labels are not numbered as in this toolbox", where=raw / READY_LABELS,
            found="test images that are not the first ones of SUNRGBDMeta.mat", expected=f"use {LABELS} instead",
        )  # fmt: skip
    return True


def _toolbox_labels(path: Path, sample: Sample, size: tuple[int, int]) -> np.ndarray:
    """The label of one sample. The file is opened and closed for it, so that memory does not grow."""
    labels = Labels(path)
    try:
        labels_HW = labels.read(sample.index + 1)
    finally:
        labels.close()
    if labels_HW.shape != size:
        raise UserError(
            f"the label of {sample.id} differs in size from its image",
            where=path,
            key=f"SUNRGBD2Dseg({sample.index + 1}).seglabel",
            found=f"{labels_HW.shape[1]} x {labels_HW.shape[0]} pixels",
            expected=f"{size[1]} x {size[0]} pixels",
            fix="use images and toolbox of one release",
        )
    return labels_HW
