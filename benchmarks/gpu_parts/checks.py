"""Part 1: what the tests of `make test-gpu` check, in short form, without rendering a dataset."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from step import OneBatch
from torch import Tensor

from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import SegmentationProtocol
from cenbench.train.recorded_step import PLAIN_STEPS
from cenbench.train.translation import TranslationTrainer
from gpu_parts.cases import TINY_SEGMENTER, TINY_UNET, AnyTrainer, plan_of, trainer_of
from gpu_parts.machine import facts
from gpu_parts.results import Deadline, Results

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from test_run_variants import VARIANTS, changed, plain_cell

CLASSES = 5
EXCHANGE = {"fusion": "exchange", "l1": "half"}
# On a CPU, float32 differs from float64 by less than 1e-6 of the largest output; a GPU, which adds in another order, is
# allowed a hundred times that.
FLOAT32_OFF = 1e-4
# bfloat16 keeps 8 bits: 0.4 % per operation. Losses are means over many values, in which errors mostly cancel.
BFLOAT16_OFF = 2e-2
REPLAY_OFF = 1e-3
_TINY = {"segmentation": TINY_SEGMENTER, "translation": TINY_UNET}
_TINY_PX = {"segmentation": {"crop_px": 32}, "translation": {"crop_px": 32, "resize_px": 36}}


def run_checks(results: Results, device: torch.device, size: str, deadline: Deadline) -> None:
    """The device's facts, then one row per check and kind of cell."""
    found = facts(device)
    results.ok("device", ", ".join(f"{name} {value}" for name, value in found.items()), **found)
    cells = {f"{kind}, {name}": variant_cell(kind, changes, size) for (kind, name), changes in VARIANTS.items()}
    exchange = {kind: variant_cell(kind, EXCHANGE, size) for kind in ("segmentation", "translation")}
    for check, chosen in (
        (no_wait, cells),
        (equal_to_cpu, cells | exchange),
        (replay, {name: cell for name, cell in (cells | exchange).items() if cell.task.kind == "translation"}),
        (resume, exchange),
        (bfloat16, exchange),
    ):
        for name, cell in chosen.items():
            run_check(results, check, name, cell, device, deadline)


Check = Callable[[Cell, torch.device], str]


class CannotCheck(Exception):
    """This check needs another device."""


def run_check(results: Results, check: Check, name: str, cell: Cell, device: torch.device, deadline: Deadline) -> None:
    label = f"{check.__name__.replace('_', ' ')}; {name}"
    if deadline.passed(needed_s=1.0):
        return results.skipped(label, "no time left")
    try:
        results.ok(label, check(cell, device))
    except CannotCheck as reason:
        results.skipped(label, str(reason))
    except Exception as error:  # a check that fails in any way is a result
        results.failed(label, error)


def variant_cell(kind: str, changes: dict[str, Any], size: str) -> Cell:
    """A cell of the demo preset with these changes; smaller if `size` is tiny."""
    document = changed(plain_cell(plan_of("demo"), kind), changes).model_dump()
    document["network"]["dropout"] = 0.0
    if size == "tiny":
        document["network"] |= _TINY[kind]
        document["protocol"] |= {**_TINY_PX[kind], "batch_size": 2}
    return Cell.model_validate(document)


def random_trainer(cell: Cell, device: torch.device) -> AnyTrainer:
    """The cell's trainer on one random batch at its crop size; the same numbers on every device."""
    return trainer_of(cell, OneBatch(*(tensor.to(device) for tensor in _batch(cell))), device, classes=CLASSES)


def _batch(cell: Cell) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    B, M, side = cell.protocol.batch_size, len(cell.task.inputs), cell.protocol.crop_px
    x_BMCHW = torch.randn(B, M, 3, side, side, generator=random)
    if isinstance(cell.protocol, SegmentationProtocol):
        return x_BMCHW, torch.randint(0, CLASSES, (B, side, side), generator=random)
    return x_BMCHW, torch.rand(B, 3, side, side, generator=random) * 2 - 1


def losses_of(trainer: AnyTrainer, first: int, end: int) -> Tensor:
    """Losses of the steps, each with its own seed as in the training loop."""
    losses = []
    for step in range(first, end):
        torch.manual_seed(step)
        losses.append(trainer.step(step))
    return torch.stack(losses)


def no_wait(cell: Cell, device: torch.device) -> str:
    """The host never waits for the device within a step."""
    _need_cuda(device, "tests/test_train_no_readback.py checks it on a CPU")
    trainer = random_trainer(cell, device)
    losses_of(trainer, 0, PLAIN_STEPS + 1)
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = trainer.step(PLAIN_STEPS + 1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    if not bool(losses.isfinite().all()):
        raise AssertionError(f"losses are not finite: {losses.tolist()}")
    return "no synchronisation"


def equal_to_cpu(cell: Cell, device: torch.device) -> str:
    """The network's outputs on the device in float32, TF32 off, against float64 on the CPU."""
    x_BMCHW, _ = _batch(cell)
    reference = random_trainer(cell, torch.device("cpu")).network
    with torch.no_grad(), _without_tf32():
        found = random_trainer(cell, device).network.eval()(x_BMCHW.to(device)).cpu().double()
        expected = reference.eval().double()(x_BMCHW.double())
    off = float((found - expected).abs().max() / expected.abs().max())
    return _bounded("largest difference", off, FLOAT32_OFF)


def replay(cell: Cell, device: torch.device) -> str:
    """Replays of a CUDA graph against plain steps."""
    _need_cuda(device, "tests/test_train_recorded_step.py checks it with a recorder that needs none")
    recorded, plain = (random_trainer(cell, device) for _ in range(2))
    assert isinstance(recorded, TranslationTrainer) and isinstance(plain, TranslationTrainer)
    plain.recorded = None
    with _without_tf32():
        found, expected = (losses_of(trainer, 0, PLAIN_STEPS + 3) for trainer in (recorded, plain))
    if recorded.recorded is None or not recorded.recorded.replaying:
        raise AssertionError("the step was not recorded")
    return _bounded("losses differ by", _off(found, expected), _loss_bound(cell))


def resume(cell: Cell, device: torch.device) -> str:
    """A state saved and loaded continues like the training it comes from."""
    whole, continued = (random_trainer(cell, device) for _ in range(2))
    with _without_tf32():
        losses_of(whole, 0, PLAIN_STEPS + 2)
        state = BytesIO()
        torch.save(whole.state_dict(), state)
        state.seek(0)
        losses_of(continued, 0, PLAIN_STEPS + 1)  # recorded by now, with a state that is replaced
        continued.load_state_dict(torch.load(state, weights_only=True))
        steps = PLAIN_STEPS + 2, 2 * PLAIN_STEPS + 4
        found, expected = (losses_of(trainer, *steps) for trainer in (continued, whole))
    return _bounded("losses differ by", _off(found, expected), _loss_bound(cell))


def bfloat16(cell: Cell, device: torch.device) -> str:
    """The first losses in bfloat16 against float32."""
    document = cell.model_dump()
    document["protocol"]["precision"] = "bfloat16"
    trainers = [random_trainer(each, device) for each in (Cell.model_validate(document), cell)]
    found, expected = (losses_of(trainer, 0, 2) for trainer in trainers)
    return _bounded("losses differ by", _off(found, expected), BFLOAT16_OFF)


def _loss_bound(cell: Cell) -> float:
    return BFLOAT16_OFF if cell.protocol.precision == "bfloat16" else REPLAY_OFF


def _off(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the larger of the value itself and a tenth of the step's largest loss."""
    scale = expected.abs().maximum(0.1 * expected.abs().amax(1, keepdim=True))
    return float(((found - expected).abs() / scale).max())


def _bounded(what: str, off: float, bound: float) -> str:
    if not off <= bound:
        raise AssertionError(f"{what} {off:.2g}, more than {bound:g}")
    return f"{what} {off:.2g}, at most {bound:g}"


def _need_cuda(device: torch.device, otherwise: str) -> None:
    if device.type != "cuda":
        raise CannotCheck(f"needs a CUDA device; {otherwise}")


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Float32 convolutions without rounding to TF32, in which another algorithm gives another third digit."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
