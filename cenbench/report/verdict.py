"""Whether a number is comparable with the paper's, and if so, whether the two agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import metrics
from cenbench.matrix.specs import Network

SPREADS = 2.0
"""A number is reproduced if the paper's lies within this many standard deviations of our mean."""

_PAPER_DATA = {"segmentation": "nyudv2", "translation": "taskonomy"}
"""The dataset of the paper's numbers, unless a slot names another."""
_PAPER_SCENES = {"nyudv2": (795, 654), "sunrgbd": (5285, 5050), "cityscapes": (2975, 500), "taskonomy": (1000, 500)}
"""Scenes in the training and validation splits behind the paper's numbers (paper.md#datasets)."""
_RESNET_101 = {"depth": (101,), "width": (64,), "pretrained": (True,)}
_LARGER = {**_RESNET_101, "depth": (101, 152)}
_PAPER_NETWORKS = {"refinenet": _RESNET_101, "unet": {"levels": (8,), "generator_width": (64,)}}
_TABLE_3_NETWORKS = {"refinenet": _LARGER, "pspnet": _LARGER}
"""Head -> settings of the paper's networks. Table 3 is about larger ones; other tables use RefineNet on ResNet-101."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a number beside the paper's, and the reason for it."""

    word: Literal["reproduced", "off", "undecided", "not comparable", "none"]
    why: str


def judge(
    cell: Cell,
    *,
    table: int,
    metric: str,
    paper: float | None,
    ours: float | None,
    spread: float | None,
    stand_in: str | None,
    paper_data: str | None = None,
) -> Verdict:
    """Compare one number with the paper's.

    `spread` is the standard deviation over seeds in the unit of the numbers, None for one seed; `paper_data` is the
    dataset behind the paper's number (`Slot.paper_data`).
    """
    if paper is None:
        return Verdict("none", "the paper has no sourced number here")
    if ours is None:
        return Verdict("none", "no number of ours yet")
    obstacles = _obstacles(cell, table, metric, stand_in, paper_data or _PAPER_DATA[cell.task.kind])
    if obstacles:
        return Verdict("not comparable", "; ".join(obstacles))
    if spread is None:
        return Verdict("undecided", "one seed has no spread to judge by")
    agrees = abs(ours - paper) <= SPREADS * spread
    where = "within" if agrees else "outside"
    return Verdict(
        "reproduced" if agrees else "off", f"the paper's number lies {where} {SPREADS:g} standard deviations"
    )


def _obstacles(cell: Cell, table: int, metric: str, stand_in: str | None, paper_data: str) -> list[str]:
    found = []
    if cell.dataset.name != paper_data:
        found.append(f"other data ({cell.dataset.name}, not {paper_data})")
    elif (scenes := (cell.dataset.train_scenes, cell.dataset.val_scenes)) != _PAPER_SCENES[paper_data]:
        told = "{:,} and {:,} scenes"
        found.append(f"a part of the data ({told.format(*scenes)} of {told.format(*_PAPER_SCENES[paper_data])})")
    networks = _PAPER_NETWORKS | (_TABLE_3_NETWORKS if table == 3 else {})
    if not _is_paper_size(cell.network, networks.get(cell.network.head)):
        found.append("another network than the paper's")
    if metrics()[metric].needs == "features" and cell.evaluation.lacks("stretch_images"):
        found.append("plain pixels, the paper's were stretched image by image (docs/protocols.md)")
    if stand_in:
        found.append(f"measured with {stand_in}")
    return found


def _is_paper_size(network: Network, sizes: Mapping[str, tuple[object, ...]] | None) -> bool:
    return sizes is not None and all(getattr(network, name) in values for name, values in sizes.items())
