"""Cityscapes: left images, fine labels, and depth from disparity (paper.md#cityscapes). Unpacked, or as zips."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

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
    read_excluded,
)
from cenbench.data.official.cityscapes_labels import CLASSES, to_classes
from cenbench.data.official.images import read_image, resize_bilinear, resize_nearest
from cenbench.data.official.raw_files import RawFiles
from cenbench.data.reading import GET_AGAIN
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec
from cenbench.strict_json import parse

_ROLES = {
    "rgb": ("leftImg8bit", "leftImg8bit.png"),
    "labels": ("gtFine", "gtFine_labelIds.png"),
    "disparity": ("disparity", "disparity.png"),
    "camera": ("camera", "camera.json"),
}
"""Role -> top folder, ending of its file names."""
_LOGIN = "cityscapes-dataset.com/downloads (login)"
_PATH = re.compile(r"[A-Za-z0-9]+/(train|val)/([a-z-]+)/(\2_\d{6}_\d{6})_\w+\.\w+")
_FARTHEST = 65535
_NEAREST_M = 1.0
"""The car's own bonnet is farther from its cameras."""
_MOST_IMPLAUSIBLE = 0.95
"""Share of an image's measured pixels that may be nearer than `_NEAREST_M`, and share that may be at `_FARTHEST`."""
_MODALITIES = {
    "rgb": ModalityDeclaration("uint8", 3, "sRGB colour", (0, 255)),
    "depth_zbuffer": ModalityDeclaration(
        "uint16", 1, "1/512 m along the optical axis, from disparity; 127.998 m stands for all beyond",
        (1, _FARTHEST), missing=0,
    ),
    "semantic": ModalityDeclaration("uint8", 1, "class number", (0, len(CLASSES) - 1), missing=VOID),
}  # fmt: skip


class Cityscapes(Adapter):
    """2,975 street scenes for training, 500 for validation; 19 classes."""

    NAME: ClassVar[str] = "cityscapes"
    TITLE: ClassVar[str] = "Cityscapes"
    LICENCE: ClassVar[str] = (
        "Cityscapes dataset licence: free for research and other non-commercial use, no redistribution; see the terms "
        "at cityscapes-dataset.com/license"
    )
    CITATION: ClassVar[str] = """@inproceedings{cordts2016cityscapes,
  title = {The {Cityscapes} Dataset for Semantic Urban Scene Understanding},
  author = {Cordts, Marius and Omran, Mohamed and Ramos, Sebastian and Rehfeld, Timo and Enzweiler, Markus and
    Benenson, Rodrigo and Franke, Uwe and Roth, Stefan and Schiele, Bernt},
  booktitle = {CVPR},
  year = {2016}
}"""
    URL: ClassVar[str] = "https://www.cityscapes-dataset.com"
    FILES: ClassVar[tuple[OfficialFile, ...]] = (
        OfficialFile("leftImg8bit_trainvaltest.zip", _LOGIN),
        OfficialFile("gtFine_trainvaltest.zip", _LOGIN),
        OfficialFile("disparity_trainvaltest.zip", f"{_LOGIN}, on request"),
        OfficialFile("camera_trainvaltest.zip", _LOGIN),
    )
    CLASSES: ClassVar[tuple[str, ...]] = CLASSES

    def scan(self, raw: Path, spec: DatasetSpec) -> Scan:
        """See `Adapter.scan`. One error names every frame that lacks its image, labels, disparity or camera file."""
        files = _raw(raw)
        roles_of = _frames(files)
        wrong = Unusable()
        excluded = read_excluded(raw)
        for (split, city, frame), roles in sorted(roles_of.items()):
            for role in sorted(_ROLES.keys() - roles if frame not in excluded else ()):
                wrong.add(frame, f"{role} is missing ({_path(role, split, city, frame)})")
        elsewhere = _misplaced(files) if wrong.problems or not roles_of else ""
        move = f"move the folders so that they begin with {elsewhere}" if elsewhere else ""
        wrong.refuse(raw, "frames are incomplete", move or "get and unpack all four official zips of one release")
        lists: dict[str, list[Sample]] = {"train": [], "val": []}
        for split, city, frame in sorted(roles_of):
            paths = {role: _path(role, split, city, frame) for role in _ROLES}
            lists[split].append(files.sample(frame, "train" if split == "train" else "val", paths))
        if not any(lists.values()):
            raise UserError(
                "this folder holds no frames of Cityscapes", where=raw,
                found="no leftImg8bit/{train,val}/*/*_leftImg8bit.png",
                expected=", ".join(file.name for file in self.FILES),
                fix=move or "put the zips, or the folders in them, there",
            )  # fmt: skip
        return Scan(choose(raw, spec, lists["train"], lists["val"]), _MODALITIES, files.archives)

    def read(self, raw: Path, spec: DatasetSpec, sample: Sample) -> dict[str, np.ndarray]:
        """`rgb` u8 (H, W, 3), `depth_zbuffer` u16 (H, W), `semantic` u8 (H, W)."""
        files, paths = _raw(raw), {**sample.files, **sample.members}

        def image(role: str, channels: int, bits: int, size: tuple[int, int] | None = None) -> np.ndarray:
            path = paths[role]
            return read_image(files.where(path), channels=channels, bits=bits, size=size, data=files.read(path))

        rgb = image("rgb", 3, 8)
        size = rgb.shape[0], rgb.shape[1]
        labels, disparity = image("labels", 1, 8, size), image("disparity", 1, 16, size)
        where = files.where(paths["camera"])
        camera = focal_baseline(files.read(paths["camera"]), where)
        depth = depth_from_disparity(disparity, camera)
        check_depth(depth, camera, where)
        return {
            "rgb": resize_bilinear(rgb, spec.shape_px),
            "depth_zbuffer": resize_nearest(depth, spec.shape_px),
            "semantic": resize_nearest(to_classes(labels, files.where(paths["labels"])), spec.shape_px),
        }


def focal_baseline(camera: bytes, where: Path) -> float:
    """Baseline (m) times focal length (pixels) from a camera file; `UserError` if either is absent or not positive."""
    try:
        document = parse(camera.decode("utf-8-sig"))
        baseline, focal = _number(document["extrinsic"]["baseline"]), _number(document["intrinsic"]["fx"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            "this is not a camera file of Cityscapes", where=where, found=f"{type(error).__name__}: {error}",
            expected="JSON with extrinsic.baseline (m) and intrinsic.fx (pixels)",
        ) from error  # fmt: skip
    for key, value in (("extrinsic.baseline", baseline), ("intrinsic.fx", focal)):
        if not (math.isfinite(value) and value > 0):
            raise UserError(
                "no depth can be computed with this camera",
                where=where,
                key=key,
                found=value,
                expected="greater than 0",
            )
    return baseline * focal


def _number(value: object) -> float:
    """A number of JSON; TypeError for anything else, numbers in quotes included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def check_depth(depth_HW: np.ndarray, focal_baseline: float, camera: Path) -> None:
    """Raise `UserError` naming the camera file if nearly all measured depth is too near or too far for a street, as
    with a baseline in millimetres.
    """
    measured = depth_HW[depth_HW > 0]
    if measured.size < depth_HW.size / 10:  # too little to judge by
        return
    wrong = (
        ((measured == _FARTHEST), f"farther than {_FARTHEST / UNITS_PER_METRE:.3f} m"),
        ((measured < _NEAREST_M * UNITS_PER_METRE), f"nearer than {_NEAREST_M:g} m"),
    )
    for pixels, words in wrong:
        if pixels.mean() >= _MOST_IMPLAUSIBLE:
            raise UserError(
                f"{pixels.mean():.1%} of the depth of a frame is {words}: its camera file has another unit",
                where=camera, key="extrinsic.baseline",
                found=f"{focal_baseline:g} for baseline (m) times focal length (pixels)",
                expected="about 0.2 m times 2,260 pixels", fix=GET_AGAIN,
            )  # fmt: skip


def depth_from_disparity(stored_HW: np.ndarray, focal_baseline: float) -> np.ndarray:
    """u16 disparity as stored -> u16 depth in 1/512 m, 0 = missing.

    A stored 0 is invalid; any other p is a disparity of (p - 1) / 256 pixels, and depth is focal length times baseline
    over disparity. A disparity of zero (p = 1) is infinitely far and counts as missing. Depth beyond the largest value
    that can be stored is set to it.
    """
    disparity_HW = (stored_HW.astype(np.float64) - 1) / 256
    known = stored_HW > 1
    units_HW = np.divide(focal_baseline * UNITS_PER_METRE, disparity_HW, out=np.zeros(stored_HW.shape), where=known)
    return np.where(known, np.rint(units_HW).clip(1, _FARTHEST), 0).astype(np.uint16)


def _raw(raw: Path) -> RawFiles:
    return RawFiles(raw, (file.name for file in Cityscapes.FILES))


def _frames(files: RawFiles) -> Mapping[tuple[str, str, str], set[str]]:
    """(split, city, frame) of training and validation -> roles for which a file exists."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for role, (top, ending) in _ROLES.items():
        for name in files.names(top):
            match = _PATH.fullmatch(name)
            if match and name.endswith(f"{match[3]}_{ending}"):
                found.setdefault((match[1], match[2], match[3]), set()).add(role)
    return found


def _misplaced(files: RawFiles) -> str:
    """Where files of Cityscapes are seen besides their place, in words; empty if nowhere."""
    seen = []
    for top, ending in _ROLES.values():
        names = (name for name in files.all_names() if name.endswith(f"_{ending}") and not name.startswith(f"{top}/"))
        if found := min(names, default=None):
            seen.append(f"{top}/ (one of its files is {found})")
    return ", ".join(seen)


def _path(role: str, split: str, city: str, frame: str) -> str:
    top, ending = _ROLES[role]
    return f"{top}/{split}/{city}/{frame}_{ending}"
