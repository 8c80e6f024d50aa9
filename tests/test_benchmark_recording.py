"""The benchmark of recording runs on both kinds of networks: nothing else calls it, so that it would break unseen."""

from __future__ import annotations

import sys

import pytest
import torch
from checkout import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
import recording
from step import CASES

from cenbench.train.gamma_file import LARGEST_BYTES


@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.name)
def test_it_times_steps_and_points_and_measures_the_file(case: recording.Case) -> None:
    step_s, point_s, between, size = recording.measured(case, torch.device("cpu"), repeats=1)
    assert step_s > 0
    assert point_s > 0
    assert between >= 1
    assert 0 < size < LARGEST_BYTES
