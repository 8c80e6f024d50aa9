"""Which scenes of a split count as hard, on scenes whose detail and holes are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cenbench.data.manifest import ModalityEntry
from cenbench.evaluate.hard_scenes import hard_scenes
from cenbench.matrix.cell import Task

FLAT, DETAILED, FULL_OF_HOLES, EMPTY, MORE_DETAILED = range(5)


def depth_scenes() -> np.ndarray:
    """(5, 16, 16) depth in millimetres, 0 where it was not measured."""
    random = np.random.default_rng(0)
    scenes = np.full((5, 16, 16), 4000, dtype=np.uint16)
    scenes[DETAILED] += random.integers(0, 100, (16, 16), dtype=np.uint16)
    scenes[FULL_OF_HOLES, ::2, ::2] = 0
    scenes[EMPTY] = 0
    scenes[MORE_DETAILED] += random.integers(0, 400, (16, 16), dtype=np.uint16)
    scenes[MORE_DETAILED, :4, :4] = 0
    return scenes


def prepared(missing: int | None) -> Any:
    scenes = depth_scenes()
    entry = ModalityEntry(
        file="depth.npy",
        dtype="uint16",
        shape=scenes.shape,
        unit="mm",
        range=(0, 10_000),
        missing=missing,
        units_per_metre=1000,
    )
    return SimpleNamespace(
        manifest=SimpleNamespace(modalities={"depth_euclidean": entry}),
        array=lambda name: {"depth_euclidean": scenes}[name],
        indices=lambda split: np.arange(len(scenes)),
    )


@pytest.mark.parametrize(
    ("missing", "expected"), [(0, [MORE_DETAILED, DETAILED]), (None, [FULL_OF_HOLES, MORE_DETAILED])]
)
def test_holes_in_depth_do_not_count_as_detail(missing: int | None, expected: list[int]) -> None:
    task = Task.parse("rgb->depth")
    assert list(hard_scenes(prepared(missing), task, "val")) == expected
