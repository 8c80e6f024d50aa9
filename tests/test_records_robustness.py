"""Scores under other conditions: what no evaluation gives is damaged, with a reason, as it is in the cell's record."""

from __future__ import annotations

import pytest
from published import make_root, publish

from cenbench.matrix.cell import Cell
from cenbench.matrix.condition import CLEAN, Condition
from cenbench.paths import Paths
from cenbench.records.read import CellRecord, read_record
from cenbench.records.robustness import (
    RobustnessRecord,
    Scores,
    read_robustness,
    write_robustness,
    write_robustness_skipped,
)

ABSENT, DARK = Condition("absent", of="rgb"), Condition("exposure", of="dark")
GOOD = {"ensemble": {"miou_pct": 50.0}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Paths, CellRecord]:
    plan, paths = make_root(tmp_path_factory.mktemp("robustness") / "root", tiny=True)
    cell: Cell = next(cell for cell in plan.cells.values() if cell.task.kind == "segmentation")
    publish(paths, cell, 50.0)
    return paths, read_record(paths, cell)


def read_back(finished: tuple[Paths, CellRecord], scores: Scores) -> RobustnessRecord:
    paths, record = finished
    conditions = (CLEAN, ABSENT, DARK)
    write_robustness(record.cell, paths, str(record.weights_sha256), conditions, scores)
    return read_robustness(paths, record, conditions)


def test_an_exposure_that_no_scene_has_may_be_left_out(finished: tuple[Paths, CellRecord]) -> None:
    for dark in ({}, {DARK.key: {}}, {DARK.key: {"ensemble": {}}}, {DARK.key: GOOD}):
        assert read_back(finished, {CLEAN.key: GOOD, ABSENT.key: GOOD, **dark}).state == "ok"


@pytest.mark.parametrize(
    ("absent", "reason"),
    [
        ({"ensemble": {"miou_pct": 1e29}}, r"scores.absent=rgb.ensemble.miou_pct"),
        ({"ensemble": {"miou_pct": -5.0}}, r"scores.absent=rgb.ensemble.miou_pct"),
        ({"x-ray": {"miou_pct": 50.0}}, r"scores.absent=rgb.x-ray"),
        ({"ensemble": {}}, "lacks the scores of a condition"),
        ({}, "lacks the scores of a condition"),
    ],
)
def test_numbers_that_no_evaluation_gives_are_damaged(
    finished: tuple[Paths, CellRecord], absent: dict[str, dict[str, float]], reason: str
) -> None:
    found = read_back(finished, {CLEAN.key: GOOD, ABSENT.key: absent})
    assert found.state == "damaged"
    assert reason in str(found.reason)
    assert found.number(CLEAN, "ensemble", "miou_pct") is None
    assert read_back(finished, {CLEAN.key: GOOD}).state == "damaged", "a condition that is not there at all"


def test_a_skipped_cell_has_no_scores(finished: tuple[Paths, CellRecord]) -> None:
    paths, record = finished
    write_robustness_skipped(record.cell, paths, (CLEAN, ABSENT), "weights are missing")
    assert read_robustness(paths, record, (CLEAN,)).state == "stale", "this cell is finished: it can be evaluated"
