"""`selection: best`: the weights that scored best are the ones measured, whatever interrupts the run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_train_loop import IDENTITY, TOTAL, Killed, Line, die
from torch import Tensor, nn

from cenbench.train import loop
from cenbench.train.loop import train_steps
from cenbench.train.selection import BestWeights


class Scripted:
    """A score read off a list, and the weights it was asked about."""

    def __init__(self, scores: list[float]) -> None:
        self.scores, self.seen = scores, list[Tensor]()

    def __call__(self, network: nn.Module) -> float:
        assert not network.training, "a network is scored in evaluation mode"
        weight = next(network.parameters())
        self.seen.append(weight.detach().clone())
        return self.scores[len(self.seen) - 1]


def train(trainer: Line, folder: Path, best: BestWeights) -> None:
    train_steps(trainer, folder=folder, seed=3, total=TOTAL, steps_per_epoch=10, identity=IDENTITY, best=best)


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ([1.0, 5.0, 2.0, 5.0, 3.0, 4.0], 1),
        ([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 0),
        ([-9.0, -8.0, -7.0, -6.0, -5.0, -4.0], 5),
    ],
)
def test_the_best_scored_weights_are_kept_the_first_of_equals(tmp_path: Path, scores: list[float], chosen: int) -> None:
    score, trainer = Scripted(scores), Line()
    train(trainer, tmp_path, BestWeights(score, 10))
    assert len(score.seen) == 6, "every ten steps of sixty"
    assert torch.equal(next(trainer.network.parameters()), score.seen[chosen])


def test_the_last_step_is_looked_at_too(tmp_path: Path) -> None:
    score = Scripted([1.0, 2.0])
    train(Line(), tmp_path, BestWeights(score, 40))
    assert len(score.seen) == 2, "after step 40 and after the last"


@pytest.mark.parametrize("step", [5, 25, 41, 59])
def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 1e9)
    scores = {10: 1.0, 20: 5.0, 30: 2.0, 40: 7.0, 50: 3.0, 60: 4.0}

    class ByStep:
        """The score a step gets does not depend on how often the run was begun."""

        def __init__(self, trainer: Line) -> None:
            self.trainer = trainer

        def __call__(self, network: nn.Module) -> float:
            return scores[self.trainer.taken[-1] + 1]

    whole = Line()
    train(whole, tmp_path / "whole", BestWeights(ByStep(whole), 10))
    first = Line(at={step: die})
    with pytest.raises(Killed):
        train(first, tmp_path / "killed", BestWeights(ByStep(first), 10))
    second = Line()
    train(second, tmp_path / "killed", BestWeights(ByStep(second), 10))
    assert second.taken[0] > 0 or step < 10, "it continued"
    for ours, theirs in zip(second.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("look", [1, 4, 6])
def test_a_look_cut_short_is_made_again(tmp_path: Path, look: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the last one of all, and the best one: with states saved as often as can be."""
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 1e9)
    monkeypatch.setattr(loop, "HISTORY_EVERY", 10)

    class Dies:
        """Scores by step, and dies once in the middle of a look."""

        def __init__(self, trainer: Line, at: int | None) -> None:
            self.trainer, self.at = trainer, at

        def __call__(self, network: nn.Module) -> float:
            step = self.trainer.taken[-1] + 1
            if self.at is not None and step == 10 * self.at:
                die()
            return {40: 7.0}.get(step, step / 100)

    whole = Line()
    train(whole, tmp_path / "whole", BestWeights(Dies(whole, None), 10))
    first = Line()
    with pytest.raises(Killed):
        train(first, tmp_path / "killed", BestWeights(Dies(first, look), 10))
    second = Line()
    best = BestWeights(Dies(second, None), 10)
    train(second, tmp_path / "killed", best)
    assert best.chosen == {"step": 40, "score": 7.0}
    for ours, theirs in zip(second.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
