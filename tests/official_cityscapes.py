"""Cityscapes in small: four folders (or zips) of city folders, label ids, 16-bit disparity, camera files."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
from official_files import Fault, StandIn
from PIL import Image

from cenbench.matrix.specs import DatasetSpec

HEIGHT, WIDTH = 12, 24
TRAIN_ID = dict(zip((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33), range(19), strict=True))
"""Label id -> train id, typed again from cityscapesScripts' labels.py; every other id is void."""
FRAMES = [
    *[("train", "aachen", f"aachen_{number:06d}_000019") for number in range(5)],
    *[("train", "jena", f"jena_{number:06d}_000019") for number in range(4)],
    *[("val", "frankfurt", f"frankfurt_000000_{number:06d}") for number in (294, 576, 1016, 1236)],
]
ENDINGS = {
    "leftImg8bit": "leftImg8bit.png",
    "gtFine": "gtFine_labelIds.png",
    "disparity": "disparity.png",
    "camera": "camera.json",
}
SPEC = DatasetSpec(name="cityscapes", size_px=HEIGHT, width_px=WIDTH, train_scenes=9, val_scenes=4, seed=0)


def path_of(top: str, frame: int) -> str:
    split, city, name = FRAMES[frame]
    return f"{top}/{split}/{city}/{name}_{ENDINGS[top]}"


def contents(frame: int) -> dict[str, np.ndarray]:
    """Stored arrays of one frame."""
    numbers = np.random.default_rng(frame)
    labels = numbers.integers(0, 34, (HEIGHT, WIDTH)).astype(np.uint8)
    labels.flat[:34] = np.arange(34)  # every id
    disparity = numbers.integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
    disparity.flat[:4] = (0, 1, 2, 65535)  # invalid, infinitely far, nearly so, nearest
    rgb = numbers.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    return {"rgb": rgb, "labels": labels, "disparity": disparity}


def camera(frame: int) -> dict[str, dict[str, float]]:
    extrinsic = {"baseline": 0.2 + frame / 100, "pitch": 0.05, "roll": 0.0, "x": 1.7, "y": 0.1, "yaw": 0.0, "z": 1.22}
    return {"extrinsic": extrinsic, "intrinsic": {"fx": 2262.5, "fy": 2265.3, "u0": 1096.9, "v0": 513.1}}


def write(raw: Path) -> None:
    for frame in range(len(FRAMES)):
        paths = {top: raw / path_of(top, frame) for top in ENDINGS}
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        stored = contents(frame)
        Image.fromarray(stored["rgb"]).save(paths["leftImg8bit"])
        Image.fromarray(stored["labels"]).save(paths["gtFine"])
        Image.fromarray(stored["disparity"]).save(paths["disparity"])
        paths["camera"].write_text(json.dumps(camera(frame)))
    for top in ("gtFine", "leftImg8bit"):  # files that the official zips hold too
        (raw / top / "test" / "berlin").mkdir(parents=True)
        (raw / top / "test" / "berlin" / f"berlin_000000_000019_{ENDINGS[top]}").write_bytes(b"")
    instances = raw / path_of("gtFine", 0).replace("labelIds", "instanceIds")
    instances.write_bytes(b"")
    (raw / "license.txt").write_text("terms")


def write_zips(raw: Path) -> None:
    write(raw)
    for top in ENDINGS:
        with zipfile.ZipFile(raw / f"{top}_trainvaltest.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((raw / top).rglob("*")):
                archive.write(path, path.relative_to(raw).as_posix())
        shutil.rmtree(raw / top)


def expected() -> list[dict[str, np.ndarray]]:
    scenes = []
    for frame in range(len(FRAMES)):
        stored = contents(frame)
        depth = np.zeros(stored["disparity"].shape, np.uint16)
        for place, p in np.ndenumerate(stored["disparity"]):
            if p > 1:
                metres = (0.2 + frame / 100) * 2262.5 / ((int(p) - 1) / 256)
                depth[place] = min(65535, round(metres * 512))
        labels = np.array([[TRAIN_ID.get(int(label), 255) for label in row] for row in stored["labels"]], np.uint8)
        scenes.append({"rgb": stored["rgb"], "depth_zbuffer": depth, "semantic": labels})
    return scenes


def cut(raw: Path, path: str) -> None:
    data = (raw / path).read_bytes()
    (raw / path).write_bytes(data[: len(data) // 2])


def cut_zip(raw: Path) -> None:
    path = raw / "gtFine_trainvaltest.zip"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_member(raw: Path) -> None:
    """Change bytes of one member but not its checksum."""
    path = raw / "disparity_trainvaltest.zip"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(path_of("disparity", 3))
        place = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))


def city_in_both_splits(raw: Path) -> None:
    for top in ENDINGS:
        shutil.copytree(raw / top / "train/jena", raw / top / "val/jena")


def emptied(raw: Path, top: str) -> None:
    for frame in range(len(FRAMES)):
        replaced(raw, top, frame, np.zeros_like(contents(frame)["labels" if top == "gtFine" else "disparity"]))


def other_baseline(raw: Path, times: float) -> None:
    for frame in range(len(FRAMES)):
        document = camera(frame)
        document["extrinsic"]["baseline"] *= times
        (raw / path_of("camera", frame)).write_text(json.dumps(document))


def unpaired(raw: Path) -> None:
    for top, frame in (("gtFine", 1), ("disparity", 7), ("camera", 7), ("leftImg8bit", 11)):
        (raw / path_of(top, frame)).unlink()


def replaced(raw: Path, top: str, frame: int, array: np.ndarray) -> None:
    Image.fromarray(array).save(raw / path_of(top, frame))


FAULTS = {
    "files missing": Fault(
        unpaired,
        "frames are incomplete: 4",
        (FRAMES[1][2], FRAMES[7][2], FRAMES[11][2], "disparity is missing", "camera is missing", "rgb is missing"),
    ),
    "a city in both splits": Fault(
        city_in_both_splits,
        "in both halves, or twice in one: 4",
        (f"{FRAMES[5][2]}: in train and in val ({path_of('leftImg8bit', 5)} and leftImg8bit/val/jena/",),
    ),
    "image truncated": Fault(lambda raw: cut(raw, path_of("leftImg8bit", 2)), "truncated", (FRAMES[2][2],)),
    "wrong size": Fault(
        lambda raw: replaced(raw, "disparity", 4, np.ones((10, 24), np.uint16)),
        "unexpected size",
        ("24 x 10", "24 x 12"),
    ),
    "wrong bit depth": Fault(
        lambda raw: replaced(raw, "disparity", 4, np.ones((12, 24), np.uint8)), "unexpected bit depth", (FRAMES[4][2],)
    ),
    "labels out of range": Fault(
        lambda raw: replaced(raw, "gtFine", 6, np.full((12, 24), 34, np.uint8)), "out of range", (FRAMES[6][2], "34")
    ),
    "no baseline": Fault(
        lambda raw: (raw / path_of("camera", 5)).write_text('{"extrinsic": {"baseline": 0}, "intrinsic": {"fx": 1}}'),
        "no depth can be computed",
        (FRAMES[5][2], "baseline"),
    ),
    "a camera file of huge numbers": Fault(
        lambda raw: (raw / path_of("camera", 5)).write_text(
            '{"extrinsic": {"baseline": 1' + "0" * 400 + '}, "intrinsic": {"fx": 1}}'
        ),
        "not a camera file",
        (FRAMES[5][2],),
    ),
    "a camera file nested too deeply": Fault(
        lambda raw: (raw / path_of("camera", 5)).write_text("[" * 200_000), "not a camera file", (FRAMES[5][2],)
    ),
    "numbers in quotes": Fault(
        lambda raw: (raw / path_of("camera", 5)).write_text(
            '{"extrinsic": {"baseline": "0.2"}, "intrinsic": {"fx": 1}}'
        ),
        "not a camera file",
        (FRAMES[5][2], "'0.2' is not a number"),
    ),
    "a baseline of true": Fault(
        lambda raw: (raw / path_of("camera", 5)).write_text(
            '{"extrinsic": {"baseline": true}, "intrinsic": {"fx": 9}}'
        ),
        "not a camera file",
        ("True is not a number",),
    ),
    "two baselines": Fault(
        lambda raw: (raw / path_of("camera", 5)).write_text(
            '{"extrinsic": {"baseline": 0.2, "baseline": 2.0}, "intrinsic": {"fx": 2262.5}}'
        ),
        "not a camera file",
        ("duplicate key 'baseline'",),
    ),
    "baselines in millimetres": Fault(
        lambda raw: other_baseline(raw, 1000), "13 scenes cannot be read", (FRAMES[5][2], "is farther than 127.998 m")
    ),
    "baselines in kilometres": Fault(
        lambda raw: other_baseline(raw, 0.001), "13 scenes cannot be read", (FRAMES[5][2], "is nearer than 1 m")
    ),
    "no disparity at all": Fault(
        lambda raw: emptied(raw, "disparity"), "no values of a modality", ("depth_zbuffer: 0, missing",)
    ),
    "no labels at all": Fault(
        lambda raw: emptied(raw, "gtFine"), "no values of a modality", ("semantic: 255, void, in every pixel of train",)
    ),
    "no camera file": Fault(
        lambda raw: (raw / path_of("camera", 5)).write_text("{"), "not a camera file", (FRAMES[5][2],)
    ),
}
ZIP_FAULTS = {
    "a zip missing": Fault(lambda raw: (raw / "camera_trainvaltest.zip").unlink(), "incomplete: 13", ("camera",)),
    "a zip truncated": Fault(cut_zip, "damaged or truncated", ("gtFine_trainvaltest.zip",)),
    "a member damaged": Fault(spoil_member, "cannot be read", (FRAMES[3][2],)),
}
STAND_INS = [
    StandIn("cityscapes-folders", SPEC, write, expected, faults=FAULTS),
    StandIn("cityscapes-zips", SPEC, write_zips, expected, faults=ZIP_FAULTS),
]
