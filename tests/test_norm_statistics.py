"""Norm statistics re-estimated over the training split, and the scores with those an evaluation does not name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from checkout import Checkout
from published import make_root
from pydantic import ValidationError
from torch import Tensor, nn

from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import load_plan
from cenbench.matrix.robustness import load_robustness
from cenbench.nn.norm import MOMENTUM, Kind, ModalityNorm, reestimate_statistics
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.records.robustness import read_robustness
from cenbench.run.robustness import evaluate_robustness

SIZES = (5, 4, 4)


class Layers(nn.Module):
    """Two norms with a rectifier and dropout between them: the second sees what the first makes of a batch."""

    def __init__(self, kind: Kind, *, shared: bool, frozen: bool = False) -> None:
        super().__init__()
        flags: dict[str, Any] = {"affine_shared": False, "statistics_shared": shared, "gamma_init": "independent"}
        self.first = ModalityNorm(kind, 2, 3, frozen=frozen, **flags)
        self.second = ModalityNorm(kind, 2, 3, **flags)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        y: Tensor = self.second(self.dropout(self.first(x_BMCHW).relu()))
        return y


def images() -> list[Tensor]:
    torch.manual_seed(0)
    return [3 + 2 * torch.randn(B, 2, 3, 6, 5, dtype=torch.float64) for B in SIZES]


def expected(kind: Kind, x_BMCHW: Tensor, *, shared: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, unbiased variance, and the normalised batch, written with torch's reductions alone."""
    over = ([0, 1, 3, 4] if shared else [0, 3, 4]) if kind == "batch" else [3, 4]
    variance, mean = torch.var_mean(x_BMCHW, over, keepdim=True)
    biased = x_BMCHW.var(over, unbiased=False, keepdim=True)
    rest = [axis for axis in ([0, 1] if shared else [0]) if mean.shape[axis] > 1]
    rows = (mean.mean(rest) if rest else mean, variance.mean(rest) if rest else variance)
    mean_MC, variance_MC = (row.reshape(1 if shared else 2, 3) for row in rows)
    return mean_MC, variance_MC, (x_BMCHW - mean) / (biased + 1e-5).sqrt()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", ["batch", "instance"])
def test_reestimated_statistics_are_the_mean_over_all_images(kind: Kind, shared: bool) -> None:
    layers = Layers(kind, shared=shared).double()
    reestimate_statistics(layers, images())
    totals = [torch.zeros_like(layers.first.running_mean) for _ in range(4)]
    for x_BMCHW in images():
        share = len(x_BMCHW) / sum(SIZES)
        mean_MC, variance_MC, y_BMCHW = expected(kind, x_BMCHW, shared=shared)
        gamma, beta = (row[:, :, None, None] for row in (layers.first.weight, layers.first.bias))
        second_mean_MC, second_variance_MC, _ = expected(kind, (gamma * y_BMCHW + beta).relu(), shared=shared)
        for total, row in zip(totals, (mean_MC, variance_MC, second_mean_MC, second_variance_MC), strict=True):
            total += share * row
    found = [getattr(norm, f"running_{what}") for norm in (layers.first, layers.second) for what in ("mean", "var")]
    for total, row in zip(totals, found, strict=True):
        # Float64 sums in another order.
        torch.testing.assert_close(row, total.detach(), rtol=1e-10, atol=1e-10)
    assert layers.first.momentum == MOMENTUM
    assert not any(module.training for module in layers.modules())


def test_what_was_there_before_is_forgotten_and_frozen_norms_keep_theirs() -> None:
    layers = Layers("batch", shared=False, frozen=True).double()
    for norm in (layers.first, layers.second):
        norm.running_mean.fill_(1e6)
    reestimate_statistics(layers, images())
    assert bool((layers.first.running_mean == 1e6).all())
    once = layers.second.running_mean.clone()
    reestimate_statistics(layers, images())
    assert torch.equal(once, layers.second.running_mean)
    assert float(once.abs().max()) < 1e3


def cells(root: Path) -> dict[str, Cell]:
    return {cell.task.kind: cell for cell in load_plan(root / "params", "demo").cells.values()}


@pytest.fixture
def tiny(tmp_path: Path) -> dict[str, Cell]:
    make_root(tmp_path, tiny=True)
    return cells(tmp_path)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("segmentation", {"norm_statistics": "own"}, "only translation has"),
        ("segmentation", {"norm_statistics": "mean"}, "'running', 'reestimated' or 'own'"),
        ("translation", {"norm_statistics": "own", "instance_statistics_at_test": True}, "leave out norm_statistics"),
    ],
)
def test_impossible_statistics_are_refused(
    tiny: dict[str, Cell], kind: str, values: dict[str, Any], message: str
) -> None:
    document = tiny[kind].model_dump()
    document["protocol"]["name"] = "mine"
    with pytest.raises(ValidationError, match=message):
        Cell.model_validate({**document, "evaluation": {**document["evaluation"], **values}})


def test_weights_are_not_selected_with_other_statistics(tiny: dict[str, Cell]) -> None:
    document = tiny["translation"].model_dump()
    document["protocol"] |= {"name": "mine", "selection": "best"}
    document["evaluation"]["norm_statistics"] = "own"
    with pytest.raises(ValidationError, match="selection: best validates with running norm statistics"):
        Cell.model_validate(document)


def test_the_choice_is_part_of_the_evaluation_and_running_is_the_default(tiny: dict[str, Cell]) -> None:
    cell = tiny["translation"]
    document = cell.model_dump()
    assert (
        Cell.model_validate({**document, "evaluation": {**document["evaluation"], "norm_statistics": "running"}})
        == cell
    )
    other = Cell.model_validate({**document, "evaluation": {**document["evaluation"], "norm_statistics": "own"}})
    assert (other.id != cell.id, other.training_id) == (True, cell.training_id)


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_a_record_holds_the_scores_with_each_statistics_and_naming_one_swaps_them(
    finished: Checkout, kind: str
) -> None:
    before = read_record(Paths(finished.root), cells(finished.root)[kind])
    others = before.document["other_norm_statistics"]
    assert set(others) == ({"reestimated", "own"} if kind == "translation" else {"reestimated"})
    assert all(metrics.keys() == before.metrics.keys() for metrics in others.values())
    old = "evaluation: {batch_size: 4, samples: 2}" if kind == "segmentation" else "kid_seed: 0, samples: 2}"
    finished.edit("params/presets/demo.yaml", old, old[:-1] + ", norm_statistics: reestimated}")
    cell = cells(finished.root)[kind]
    finished.run("python", "-m", "cenbench", "run", cell.id)
    after = read_record(Paths(finished.root), cell)
    assert after.provenance["trained_steps"] == 0, "the weights are those of before"
    expected_others = {**others, "running": before.metrics}
    metrics = expected_others.pop("reestimated")
    assert json.dumps([after.metrics, after.document["other_norm_statistics"]], sort_keys=True) == json.dumps(
        [metrics, expected_others], sort_keys=True
    )
    assert after.metrics != before.metrics
    check_other_conditions(Paths(finished.root), cell)


def check_other_conditions(paths: Paths, cell: Cell) -> None:
    """Statistics are those of clean training images also for corrupted inputs, whose dataset has no training split."""
    spec, record = load_robustness(paths.params), read_record(paths, cell)
    evaluate_robustness(cell, paths, spec, "cpu")
    found = read_robustness(paths, record, spec.conditions(cell))
    assert found.state == "ok"
    assert found.scores["clean"] == record.metrics
    changed = found.scores[f"absent={cell.task.inputs[0]}"]
    assert changed.keys() == record.metrics.keys()
    assert changed != record.metrics
