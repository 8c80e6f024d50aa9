"""Without a GPU: no training step asks for an operation that reads values back, or takes data of the host along.

On a GPU each of these makes the host wait, and none can be recorded. A move between devices can't be seen here, where
there is one: `test_gpu_step.py` asks the driver itself.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from checkout import Checkout
from test_gpu_step import trainer_of
from test_run_variants import VARIANTS, variant
from torch.utils._python_dispatch import TorchDispatchMode

READ_BACK = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "_unique2", "repeat_interleave"}
FROM_HOST = {"lift_fresh"}


class NoReadback(TorchDispatchMode):
    """Fails at an operation that would make a GPU's host wait."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = operation.overloadpacket.__name__
        by_mask = name.startswith("index") and any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool
            for indices in args
            if isinstance(indices, (list, tuple))
            for index in indices
        )
        if name in READ_BACK | FROM_HOST or by_mask:
            raise AssertionError(f"{operation}{' by a mask' if by_mask else ''} makes the host wait")
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "offence",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: x.__setitem__(x > 0, 1.0),
        lambda x: x.nonzero(),
        lambda x: x + torch.tensor([1.0, 2.0]),
    ],
)
def test_what_it_must_notice(offence: Any) -> None:
    x = torch.tensor([1.0, 2.0])
    with pytest.raises(AssertionError, match="makes the host wait"), NoReadback():
        offence(x)


@pytest.mark.parametrize(("kind", "name"), VARIANTS)
def test_no_step_reads_back(prepared_checkout: Checkout, monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    cell = variant(prepared_checkout, kind, VARIANTS[kind, name])
    trainer = trainer_of(cell, prepared_checkout.root / "data" / "prepared", torch.device("cpu"))
    trainer.begin(0)
    trainer.step(0)
    batch = trainer.batches.batch(1)  # made by the host, ahead of the step
    monkeypatch.setattr(trainer.batches, "batch", lambda step: batch)
    with NoReadback():
        losses = trainer.step(1)
    assert bool(losses.isfinite().all())
