"""On a GPU: no training step waits for the device, and a recorded step is the step. `make test-gpu`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
import torch
from checkout import Checkout
from test_run_variants import TRANSLATION, VARIANTS, variant

from cenbench.data.batches import SegmentationBatches, TranslationBatches
from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.nn.exchange import own_parts
from cenbench.train.prefetch import for_device
from cenbench.train.recorded_step import PLAIN_STEPS
from cenbench.train.segmentation import SegmentationTrainer
from cenbench.train.translation import TranslationTrainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
EXCHANGE = {"fusion": "exchange", "l1": "half"}


def trainer_of(cell: Cell, root: Path, device: torch.device) -> SegmentationTrainer | TranslationTrainer:
    prepared = Prepared.open(root / dataset_key(cell.dataset))
    if cell.task.kind == "segmentation":
        batches = for_device(SegmentationBatches(prepared, cell.task, cell.protocol, cell.seed), device)
        return SegmentationTrainer(cell, batches, len(prepared.classes), prepared.void, device)
    return TranslationTrainer(
        cell, for_device(TranslationBatches(prepared, cell.task, cell.protocol, cell.seed), device), device
    )


@pytest.mark.parametrize(("kind", "name"), VARIANTS)
def test_no_step_waits_for_the_device(prepared_checkout: Checkout, kind: str, name: str) -> None:
    cell = variant(prepared_checkout, kind, VARIANTS[kind, name])
    trainer = trainer_of(cell, prepared_checkout.root / "data" / "prepared", torch.device("cuda"))
    trainer.begin(0)
    for step in range(PLAIN_STEPS + 1):  # the first choose algorithms, allocate, and are recorded
        trainer.step(step)
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = trainer.step(PLAIN_STEPS + 1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert losses.device.type == "cuda"
    assert bool(losses.isfinite().all())


@pytest.mark.parametrize("changes", [EXCHANGE, *TRANSLATION.values()])
def test_a_replayed_step_is_the_step(prepared_checkout: Checkout, changes: dict[str, object]) -> None:
    """Losses of the first replays to the float32 of a GPU whose sums are in no fixed order; dropout masks alike."""
    cell = variant(prepared_checkout, "translation", changes)
    losses = {}
    for recorded in (True, False):
        trainer = trainer_of(cell, prepared_checkout.root / "data" / "prepared", torch.device("cuda"))
        assert isinstance(trainer, TranslationTrainer)
        if not recorded:
            trainer.recorded = None
        losses[recorded] = run(trainer, 0, PLAIN_STEPS + 3)
        if recorded:
            assert trainer.recorded is not None
            assert trainer.recorded.replaying
    bfloat16 = cell.protocol.precision == "bfloat16"
    torch.testing.assert_close(losses[True], losses[False], rtol=2e-2 if bfloat16 else 1e-3, atol=1e-4)


@pytest.mark.parametrize("recorded", [True, False])
def test_the_recorded_gradients_are_those_of_the_last_step(prepared_checkout: Checkout, recorded: bool) -> None:
    """A replay writes the gradients and the scaling factors it began with where the recording of them reads: what it
    adds to the task's gradient is the l1 term's part, so that subtracting it leaves the gradient of autograd.
    """
    cell = variant(prepared_checkout, "translation", EXCHANGE)
    trainer = trainer_of(cell, prepared_checkout.root / "data" / "prepared", torch.device("cuda"))
    assert isinstance(trainer, TranslationTrainer)
    if not recorded:
        trainer.recorded = None
    run(trainer, 0, PLAIN_STEPS + 2)
    norms, weight = trainer.sparsity.norms.values(), cell.protocol.l1_weight(len(cell.streams))
    for _ in range(2):
        before_MN = torch.cat([norm.weight.detach().clone() for norm in norms], dim=1)
        run(trainer, PLAIN_STEPS + 2, PLAIN_STEPS + 3)
        gamma_MN, gradient_MN, _ = trainer.sparsity.observed(weight)
        own_MN = torch.cat([own_parts(norm.modalities, norm.channels) for norm in norms], dim=1).to(before_MN.device)
        expected_MN = torch.cat([norm.weight.grad for norm in norms], dim=1) - weight * before_MN.sign() * own_MN
        torch.testing.assert_close(gradient_MN, expected_MN, rtol=0, atol=0)
        assert not torch.equal(gamma_MN, before_MN), "a step was taken"


def test_a_state_of_a_recorded_training_is_continued(prepared_checkout: Checkout) -> None:
    cell = variant(prepared_checkout, "translation", EXCHANGE)
    root, device = prepared_checkout.root / "data" / "prepared", torch.device("cuda")
    whole, continued = (trainer_of(cell, root, device) for _ in range(2))
    run(whole, 0, PLAIN_STEPS + 2)
    state = BytesIO()
    torch.save(whole.state_dict(), state)
    state.seek(0)
    run(continued, 0, PLAIN_STEPS + 1)  # recorded already, with a state that is replaced now
    continued.load_state_dict(torch.load(state, weights_only=True))
    last = PLAIN_STEPS + 2, 2 * PLAIN_STEPS + 4
    torch.testing.assert_close(run(continued, *last), run(whole, *last), rtol=1e-3, atol=1e-4)


def run(trainer: SegmentationTrainer | TranslationTrainer, first: int, end: int) -> torch.Tensor:
    """Losses of the steps, each with its own seed as in the training loop."""
    losses = []
    for step in range(first, end):
        torch.manual_seed(step)
        losses.append(trainer.step(step))
    return torch.stack(losses)
