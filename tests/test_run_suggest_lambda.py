"""`cenbench suggest-lambda`: shares that are the network's, the nearest proposal, no test image, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from checkout import Checkout
from test_run_variants import variant

from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.evaluate.exchanged import exchanged_shares
from cenbench.paths import Paths
from cenbench.report.terminal_suggestion import suggestion_notes
from cenbench.run import suggest_lambda as module
from cenbench.run.suggest_lambda import LAMBDA_FACTORS, THETA_FACTORS, Trial, suggest_lambda

EXCHANGE = {"fusion": "exchange", "l1": "half"}


@pytest.fixture
def paths(prepared_checkout: Checkout, tmp_path: Path) -> Paths:
    (tmp_path / "data").symlink_to(prepared_checkout.root / "data")
    return Paths(tmp_path)


def test_it_trains_on_training_scenes_only_and_changes_no_result(
    prepared_checkout: Checkout, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every read of prepared arrays goes through `Prepared`; here it is refused for scenes outside `train`."""
    cell = variant(prepared_checkout, "segmentation", EXCHANGE)
    asked: list[str] = []
    indices = Prepared.indices
    monkeypatch.setattr(Prepared, "indices", lambda self, split: (asked.append(split), indices(self, split))[1])
    said: list[str] = []
    found = suggest_lambda(cell, paths, 0.5, steps=2, progress=said.append)
    assert set(asked) == {"train"}
    assert [path.name for path in paths.root.iterdir()] == ["data"]
    assert len(said) == len(found.trials) == len(LAMBDA_FACTORS)
    assert "lambda" in said[0]
    assert found.thetas == pytest.approx([factor * cell.protocol.theta for factor in THETA_FACTORS])
    for trial in found.trials:
        assert np.all(np.diff(trial.shares) >= 0), "a higher theta cannot exchange less"
    shares = [abs(share - 0.5) for trial in found.trials for share in trial.shares]
    assert abs(found.share - 0.5) == min(shares)
    assert (found.steps, found.is_close) == (2, min(shares) <= 0.05)


def test_the_share_at_the_cells_own_theta_is_what_the_network_exchanges(
    prepared_checkout: Checkout, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = variant(prepared_checkout, "translation", EXCHANGE)
    trained: list[torch.nn.Module] = []
    train = module.train_steps
    monkeypatch.setattr(
        module,
        "train_steps",
        lambda trainer, **settings: (trained.append(trainer.network), train(trainer, **settings))[1],
    )
    found = suggest_lambda(cell, paths, 0.2, steps=1)
    own = found.thetas.index(cell.protocol.theta)
    for network, trial in zip(trained, found.trials, strict=True):
        assert trial.shares[own] == pytest.approx(exchanged_shares(network, cell.task.inputs)["overall"]["ensemble"])


def test_the_nearest_pair_is_proposed_and_of_equals_the_least_changed(prepared_checkout: Checkout) -> None:
    cell = variant(prepared_checkout, "segmentation", EXCHANGE)
    own = cell.protocol.lambda_l1
    theta = cell.protocol.theta
    trials = [Trial(own, (0.1, 0.2)), Trial(10 * own, (0.2, 0.9)), Trial(3 * own, (), "non-finite loss")]
    found = module._proposal(cell, 0.21, (theta, 2 * theta), trials, 5, 9)
    assert (found.lambda_l1, found.theta, found.share) == (own, 2 * theta, 0.2)
    assert found.is_close
    assert not module._proposal(cell, 0.5, (theta, 2 * theta), trials[:1], 5, 9).is_close
    with pytest.raises(UserError, match="every short training failed"):
        module._proposal(cell, 0.5, (theta,), trials[2:], 5, 9)


@pytest.mark.parametrize(
    ("changes", "share", "steps", "words"),
    [
        ({"fusion": "none", "l1": "half"}, 0.2, 1, "does not use lambda and theta"),
        ({"fusion": "exchange", "l1": "none"}, 0.2, 1, "does not use lambda and theta"),
        (EXCHANGE, 0.0, 1, "above 0 %, below 100 %"),
        (EXCHANGE, float("nan"), 1, "not a share"),
        (EXCHANGE, 20.0, 1, "not a share"),
        (EXCHANGE, 0.2, 0, "too few steps"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    prepared_checkout: Checkout, paths: Paths, changes: dict[str, str], share: float, steps: int, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        suggest_lambda(variant(prepared_checkout, "segmentation", changes), paths, share, steps=steps)


def test_what_a_short_training_cannot_show_is_said() -> None:
    assert len(suggestion_notes(9, 9, close=True)) == 1
    notes = suggestion_notes(2, 9, close=False)
    assert "nearest" in notes[0]
    assert "2 of the cell's 9 steps" in notes[1]
