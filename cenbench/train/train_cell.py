"""Training one cell, whatever its task: find it finished, or train it from its saved state or from the start."""

from __future__ import annotations

from cenbench.files import Guard, unguarded
from cenbench.matrix.steps import total_steps
from cenbench.nn.network import Network
from cenbench.train.gamma_recording import GammaRecording, recorded_gammas
from cenbench.train.loop import history_lines, train_steps
from cenbench.train.prefetch import for_device
from cenbench.train.progress import Report
from cenbench.train.selection import Score, best_weights
from cenbench.train.setup import Setup
from cenbench.train.trained import Trained, finish, load_weights, open_finished
from cenbench.train.trainer import TaskTraining


def train_cell(
    training: TaskTraining,
    setup: Setup,
    identity: dict[str, str],
    score: Score,
    report: Report | None = None,
    guard: Guard = unguarded,
) -> Trained:
    """The finished training of the cell, in its state folder.

    `identity` names the code, data and pretrained files; state and weights of another identity are not used. `score`
    is called where the protocol selects the best weights, `report` every few steps, `guard` before each write.

    Raises `CellSkipped` where pretrained weights are absent, `UserError` where the dataset changed under the training
    (nothing trained on it is kept), and what `train_steps` raises.
    """
    cell, folder = setup.cell, setup.paths.state(setup.cell)
    done = open_finished(folder, identity, guard)
    if done is not None:
        return done
    batches = for_device(training.batches(setup), setup.device)
    trainer = training.trainer(setup, batches)
    total, per_epoch = total_steps(cell), batches.steps_per_epoch
    best = best_weights(cell, score, per_epoch)
    recording = GammaRecording(recorded_gammas(cell, trainer.network, trainer.sparsity), lines=history_lines(total))

    def before_saving() -> None:
        setup.prepared.check_untouched()
        guard()

    history = train_steps(
        trainer,
        folder=folder,
        seed=cell.seed,
        total=total,
        steps_per_epoch=per_epoch,
        identity=identity,
        best=best,
        report=report,
        before_saving=before_saving,
        recording=recording,
    )
    setup.prepared.check_untouched()
    selected = best.chosen if best else None
    gammas = recording.content()
    return finish(folder, trainer.network, history, total, identity, gammas=gammas, selected=selected, guard=guard)


def load_network(training: TaskTraining, setup: Setup, trained: Trained) -> Network:
    """The trained network, in evaluation mode, on the device. Raises `UserError` where its weights do not fit."""
    network = training.build(setup.cell, setup.classes)
    load_weights(network, trained.folder)
    return network.to(setup.device).eval()
