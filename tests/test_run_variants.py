"""Cells of every kind run from training to their record in this process, some twice, to the same bytes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from checkout import Checkout

from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan, load_plan
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.run.cell import run_cell

SEGMENTATION: dict[str, dict[str, Any]] = {
    "concat, merged": {"fusion": "concat", "stage": "middle", "merged": True},
    "self-att": {"fusion": "self-att", "stage": "all", "convs": "shared"},
    "align": {"fusion": "align", "stage": "early"},
    "uni-modal": {"task": {"inputs": ["depth"], "target": "semantic"}, "fusion": "uni-modal"},
    "pspnet": {"network": {"head": "pspnet"}},
    "pspnet, merged": {"network": {"head": "pspnet"}, "fusion": "average", "stage": "late", "merged": True},
    "bfloat16": {"protocol": {"precision": "bfloat16"}},
    "own part": {"fusion": "exchange", "l1": "half", "protocol": {"exchange_own_part_only": True}},
    "several scales": {"evaluation": {"scales": [0.5, 1.0], "flip": True}},
    "official": {
        "fusion": "exchange",
        "l1": "half",
        "protocol": {
            "name": "official",
            "freeze_norm_statistics": True,
            "lambda_per_head": True,
            "pad_depth_as_rgb": True,
            "selection": "best",
            "select_every_epochs": 1,
        },
        "evaluation": {"norm_statistics": "running"},
    },
}
TRANSLATION: dict[str, dict[str, Any]] = {
    "concat": {"fusion": "concat", "stage": "late"},
    "average": {"fusion": "average", "stage": "middle"},
    "align": {"fusion": "align", "stage": "all", "fusion_parameters": {"weight": 0.5}},
    "uni-modal": {"task": {"inputs": ["shade"], "target": "rgb"}, "fusion": "uni-modal"},
    "bfloat16": {"protocol": {"precision": "bfloat16"}},
    "official": {
        "fusion": "exchange",
        "l1": "half",
        "protocol": {
            "name": "official",
            "two_generator_passes": True,
            "crop_past_edge": True,
            "selection": "best",
            "select_every_epochs": 1,
        },
        "evaluation": {
            "dropout_at_test": True,
            "instance_statistics_at_test": True,
            "stretch_images": True,
            "norm_statistics": "running",
        },
    },
}
VARIANTS = {
    (kind, name): changes
    for kind, variants in (("segmentation", SEGMENTATION), ("translation", TRANSLATION))
    for name, changes in variants.items()
}


TWICE = {
    ("segmentation", "self-att"),
    ("segmentation", "own part"),
    ("segmentation", "official"),
    ("translation", "bfloat16"),
    ("translation", "official"),
}
"""Run twice, to the same bytes: among them they have every source of random numbers."""


def variant(checkout: Checkout, kind: str, changes: dict[str, Any]) -> Cell:
    """A plain cell of the checkout's demo preset with these fields changed."""
    return changed(plain_cell(load_plan(checkout.root / "params", "demo"), kind), changes)


def plain_cell(plan: Plan, kind: str) -> Cell:
    """The first cell of this kind without a fusion operator."""
    plain = ("none", "exchange")
    return next(cell for cell in plan.cells.values() if cell.task.kind == kind and cell.fusion in plain)


def changed(plain: Cell, changes: dict[str, Any]) -> Cell:
    """The cell with these fields changed; the fields of its parts one by one."""
    document = plain.model_dump(mode="json")
    document |= {"fusion": "none", "l1": "none", "convs": "unshared"}
    for field, value in changes.items():
        parts = isinstance(value, dict) and field != "task"
        document[field] = {**document[field], **value} if parts else value
    if document["fusion"] == "uni-modal" or plain.task.kind == "translation":
        document["convs"] = "shared"
    return Cell.model_validate(document)


@pytest.mark.parametrize(
    ("kind", "name"),
    VARIANTS,
)
def test_variant_runs_to_its_record(prepared_checkout: Checkout, tmp_path: Path, kind: str, name: str) -> None:
    cell = variant(prepared_checkout, kind, VARIANTS[kind, name])
    documents = []
    for attempt in ("first", "second") if (kind, name) in TWICE else ("first",):
        paths = Paths(tmp_path / attempt)
        paths.root.mkdir()
        (paths.root / "data").symlink_to(prepared_checkout.root / "data")
        run_cell(cell, paths, "cpu")
        record = read_record(paths, cell)
        assert record.state == "ok", record.reason
        assert set(record.metrics) == set(cell.streams)
        assert all(math.isfinite(number) for values in record.metrics.values() for number in values.values())
        history = (record.folder / "history.csv").read_bytes()
        documents.append(((record.folder / "metrics.json").read_bytes(), history))
    assert documents[0] == documents[-1], "the same cell gives the same bytes"
    assert (b"fusion_penalty" in documents[0][1]) == (cell.fusion == "align")
    assert (b"nll_auxiliary" in documents[0][1]) == (cell.network.head == "pspnet")


def test_absent_inception_weights_skip_a_cell_before_it_is_trained(prepared_checkout: Checkout, tmp_path: Path) -> None:
    cell = variant(prepared_checkout, "translation", {"evaluation": {"extractor": "inception-v3"}})
    paths = Paths(tmp_path)
    (tmp_path / "data").symlink_to(prepared_checkout.root / "data")
    run_cell(cell, paths, "cpu")
    record = read_record(paths, cell)
    assert record.state == "skipped"
    assert record.reason is not None
    assert "Inception-v3 weights" in record.reason
    assert not list(paths.state(cell).glob("*.safetensors")) + list(paths.state(cell).glob("state.pt"))


def test_a_bug_is_a_failed_cell_with_its_reason(
    prepared_checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = variant(prepared_checkout, "segmentation", {})
    paths = Paths(tmp_path)
    (tmp_path / "data").symlink_to(prepared_checkout.root / "data")
    monkeypatch.setattr("cenbench.train.segmentation.SegmentationTrainer.step", lambda self, step: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_cell(cell, paths, "cpu")
    record = read_record(paths, cell)
    assert record.state == "failed"
    assert record.reason == "ZeroDivisionError: division by zero; see the log"
