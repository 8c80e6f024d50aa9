"""Stand-ins for Taskonomy: the sample building with the released code's lists, and Omnidata's folders.

Source: paper.md#taskonomy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from official_files import Fault, StandIn, bilinear, nearest, truncate, write_image

from cenbench.matrix.specs import DatasetSpec

SIDE, SIZE = 512, (64, 64)
DOMAINS = ("rgb", "normal", "reshading", "depth_euclidean", "depth_zbuffer", "edge_occlusion", "edge_texture")
MORE = ("principal_curvature", "segment_unsup2d", "segment_unsup25d")
TOPS = {"edge_texture": 11355, "edge_occlusion": 11584}
STORED = {"reshading": "shade", "edge_texture": "texture", "edge_occlusion": "edge"}
View = tuple[str, int, int]
"""Building ('' in the sample), point, view."""

TRAIN: list[View] = [("", 407, 2), ("", 982, 5), ("", 182, 3), ("", 5, 0), ("", 5, 11), ("", 31, 1), ("", 60, 2)]
VAL: list[View] = [("", 362, 10), ("", 460, 5), ("", 570, 1)]
UNLISTED: list[View] = [("", 900, 0)]
SAMPLE = DatasetSpec(name="taskonomy", size_px=64, train_scenes=len(TRAIN), val_scenes=len(VAL), seed=0)

TINY_TRAIN: list[View] = [(town, point, 1) for town in ("allensville", "hanson") for point in (0, 1, 10, 2)]
TINY_VAL: list[View] = [("corozal", point, 4) for point in (0, 1, 3)]
TINY_TEST: list[View] = [("ihlen", 0, 0)]
TINY = DatasetSpec(name="taskonomy", size_px=64, train_scenes=len(TINY_TRAIN), val_scenes=len(TINY_VAL), seed=0)


def image(domain: str, view: View) -> np.ndarray:
    """As published: 512 x 512, 16 bits for depth and edges; smooth in both directions, different in every view."""
    row, column = np.mgrid[:SIDE, :SIDE]
    number = view[1] * 3 + view[2] + 50 * len(view[0])
    if domain.startswith("depth"):
        units = 1 + (number * 17 + row * SIDE + column + 9 * domain.count("z")) % 60_000
        units[40:80, 100:180] = 65535
        return units.astype(np.uint16)
    if domain.startswith("edge"):
        strength = (row * 9 + column * 11 + number * 3) % 12_000
        return strength.astype(np.uint16)
    if domain.startswith("segment"):
        return ((row // 64 + column // 32 * 8 + number) % 256).astype(np.uint8)
    wave = 127 + 60 * np.sin(row / 40 + number) + 60 * np.cos(column / 30)
    if domain == "reshading":
        return wave.astype(np.uint8)
    return np.stack([wave, 255 - wave, (row + column) / 4], -1).astype(np.uint8)


def prepared(domain: str, view: View) -> np.ndarray:
    """The array that must be stored for it."""
    published = image(domain, view)
    if domain.startswith("depth"):
        return nearest(np.where(published == 65535, 0, published).astype(np.uint16), SIZE)
    if domain.startswith("segment"):
        return nearest(published, SIZE)
    if domain in TOPS:
        return bilinear(np.minimum(published, TOPS[domain]), SIZE)
    return bilinear(published, SIZE)


def expected(views: Iterable[View], domains: Iterable[str]) -> list[dict[str, np.ndarray]]:
    domains = list(domains)
    return [{STORED.get(domain, domain): prepared(domain, view) for domain in domains} for view in views]


def name_of(view: View, domain: str) -> str:
    return f"point_{view[1]}_view_{view[2]}_domain_{domain}.png"


def write_sample(raw: Path) -> None:
    """`domain/point_P_view_V_domain_D.png`, and the lists with braces; the last line has no newline."""
    for domain in (*DOMAINS, *MORE):
        for view in (*TRAIN, *VAL, *UNLISTED):
            write_image(raw / domain / name_of(view, domain), image(domain, view))
    (raw / "points").mkdir()
    (raw / "points/point_5_view_0_domain_fixatedpose.json").write_text("{}")
    write_list(raw / "train_domain.txt", TRAIN)
    write_list(raw / "val_domain.txt", VAL)


def write_list(path: Path, views: Iterable[View]) -> None:
    path.write_text("\n".join("{domain}/" + name_of(view, "{domain}") for view in views))


def write_tiny(raw: Path) -> None:
    """`domain/taskonomy/building/...` as in Omnidata's downloads, with masks, and a table of buildings."""
    for domain in DOMAINS:
        for view in (*TINY_TRAIN, *TINY_VAL, *TINY_TEST):
            folder = raw / domain / "taskonomy" / view[0]
            write_image(folder / name_of(view, domain), image(domain, view))
    mask = raw / "mask_valid/taskonomy/hanson" / name_of(("hanson", 0, 1), "depth_zbuffer")
    write_image(mask, np.full((SIDE, SIDE), 255, np.uint8))
    rows = ["id,train,val,test", "allensville,1,0,0", "hanson,1,0,0", "corozal,0,1,0", "ihlen,0,0,1", "beechwood,1,0,0"]
    (raw / "train_val_test_tiny.csv").write_text("\n".join(rows) + "\n")


def remove_several(raw: Path) -> None:
    (raw / "normal" / name_of(TRAIN[0], "normal")).unlink()
    (raw / "rgb" / name_of(TRAIN[0], "rgb")).unlink()
    for domain in (*DOMAINS, *MORE):
        (raw / domain / name_of(VAL[1], domain)).unlink()


def replaced(domain: str, array: np.ndarray) -> Fault:
    """Replace one of the listed images."""
    name = f"{domain}/{name_of(TRAIN[2], domain)}"
    message = {2: "unexpected (size|bit depth)", 3: "unexpected number of channels"}[array.ndim]
    return Fault(lambda raw: write_image(raw / name, array), message, (name,))


GRAY, WIDE = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint16)
SAMPLE_FAULTS = {
    "files missing, all named": Fault(
        remove_several,
        "images that do not exist: 2",
        ("point_407_view_2", "no rgb, no normal", "point_460_view_5", "no such view"),
    ),
    "an image truncated": Fault(
        lambda raw: truncate(raw / "normal" / name_of(VAL[0], "normal")), "truncated", (name_of(VAL[0], "normal"),)
    ),
    "a wrong size": replaced("depth_zbuffer", np.zeros((SIDE, SIDE - 1), np.uint16)),
    "depth of 8 bits": replaced("depth_euclidean", GRAY),
    "shading of 16 bits": replaced("reshading", WIDE),
    "colour of 16 bits": replaced("rgb", WIDE),
    "colour edges": replaced("edge_texture", np.zeros((SIDE, SIDE, 3), np.uint8)),
    "half the lists": Fault(
        lambda raw: (raw / "train_domain.txt").unlink(), "train_domain.txt is missing", ("remove both lists",)
    ),
    "a line not as published": Fault(
        lambda raw: (raw / "val_domain.txt").write_text("rgb/0001.png"), "unexpected format", ("line 1", "rgb/0001.png")
    ),
    "a view listed twice": Fault(
        lambda raw: write_list(raw / "val_domain.txt", [*VAL, VAL[0]]),
        "in both halves, or twice in one: 1", ("point_362_view_10: twice in val",),
    ),
    "lists share views": Fault(
        lambda raw: write_list(raw / "val_domain.txt", TRAIN[:3]),
        "in both halves, or twice in one: 3", ("point_407_view_2: in train and in val",),
    ),
    "two copies": Fault(
        lambda raw: shutil.copytree(raw / "rgb", raw / "taskonomy/rgb"), "two copies of Taskonomy", ("taskonomy/rgb/",)
    ),
    "nothing of it": Fault(
        lambda raw: [shutil.rmtree(raw / domain) for domain in (*DOMAINS, *MORE)], "no views of Taskonomy"
    ),
}  # fmt: skip


def drop_two(raw: Path) -> None:
    """Add two views without a domain to the training buildings: eight of ten remain, as many as the spec asks for."""
    for view in (("hanson", 70, 0), ("allensville", 71, 0)):
        for domain in DOMAINS:
            if domain not in ("normal", "reshading"):
                write_image(raw / domain / "taskonomy" / view[0] / name_of(view, domain), image(domain, view))


TINY_FAULTS = {
    "a building missing": Fault(
        lambda raw: [shutil.rmtree(raw / domain / "taskonomy/corozal") for domain in DOMAINS], "too few samples for val"
    ),
    "two tables": Fault(
        lambda raw: shutil.copy(raw / "train_val_test_tiny.csv", raw / "train_val_test_full.csv"),
        "several tables of buildings", ("train_val_test_tiny.csv", "train_val_test_full.csv"),
    ),
    "a line of the table not as published": Fault(
        lambda raw: (raw / "train_val_test_tiny.csv").write_text("id,train,val,test\nhanson,yes,no,no\n"),
        "unexpected format", ("line 2", "hanson,yes,no,no"),
    ),
    "a building in two splits": Fault(
        lambda raw: (raw / "train_val_test_tiny.csv").write_text("id,train,val,test\nhanson,1,1,0\n"),
        "unexpected format", ("line 2", "hanson,1,1,0"),
    ),
    "a building twice": Fault(
        lambda raw: (raw / "train_val_test_tiny.csv").write_text("hanson,1,0,0\nhanson,1,0,0\nhanson,0,1,0\n"),
        "names one twice, in two splits", ("line 3", "train and val"),
    ),
    "a folder whose name is not UTF-8": Fault(
        lambda raw: [
            (folder := raw / domain / "taskonomy/corozal").rename(folder.with_name(os.fsdecode(b"coroza\xff")))
            for domain in DOMAINS
        ],
        "cannot be part of the name of a view", ("coroza",),
    ),
    "both layouts": Fault(
        lambda raw: shutil.copytree(raw / "rgb/taskonomy/hanson", raw / "hanson/rgb"), "two copies of Taskonomy"
    ),
}  # fmt: skip

STAND_INS = [
    StandIn(
        "taskonomy-sample", SAMPLE, write_sample,
        lambda: expected([*TRAIN, *VAL], (*DOMAINS, *MORE)), tolerance=1, faults=SAMPLE_FAULTS,
        excludes={
            "an optional domain with a gap": (
                lambda raw: (raw / "segment_unsup2d" / name_of(VAL[1], "segment_unsup2d")).unlink(),
                {"segment_unsup2d": "1 of the chosen views lack it"},
            )
        },
    ),
    StandIn(
        "taskonomy-tiny", TINY, write_tiny, lambda: expected([*sorted(TINY_TRAIN, key=by_name), *TINY_VAL], DOMAINS),
        tolerance=1, faults=TINY_FAULTS,
        excludes={
            "views without a domain": (
                drop_two,
                {"hanson/point_70_view_0": "no normal, no reshading", "allensville/point_71_view_0": "no normal"},
            )
        },
    ),
]  # fmt: skip


def by_name(view: View) -> str:
    return f"{view[0]}/point_{view[1]}_view_{view[2]}"
