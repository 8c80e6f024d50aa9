"""What a task contributes to training: its network, batches, and the object that takes one step."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from cenbench.data.split import StoredBatch
from cenbench.matrix.cell import Cell
from cenbench.nn.network import Network
from cenbench.nn.sparsity import Sparsity
from cenbench.train.setup import Setup


class Batches(Protocol):
    """Training batches by random access: a function of (seed, step), so that resuming needs no loader state."""

    @property
    def steps_per_epoch(self) -> int: ...

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs `x_BMCHW` and their target."""


class TwoPartBatches(Batches, Protocol):
    """Batches made in two parts: `batch(step)` is `prepare(read(step))`."""

    def read(self, step: int) -> StoredBatch:
        """What a step's batch is made of, on the CPU."""

    def prepare(self, stored: StoredBatch) -> tuple[Tensor, Tensor]:
        """The batch, on the device where `stored` is."""


class Trainer(Protocol):
    """One cell's networks, optimisers and step."""

    losses: tuple[str, ...]
    """Names of what `step` returns."""

    sparsity: Sparsity
    """The constrained scaling factors of `network`, and the l1 term on them."""

    @property
    def network(self) -> Network:
        """The network that is evaluated in the end."""

    def begin(self, step: int) -> None:
        """Make the optimisers if a phase begins at `step` or there are none yet."""

    def step(self, step: int) -> Tensor:
        """Take one step; the losses, detached, on the device, (len(losses),)."""

    def learning_rates(self) -> dict[str, float]: ...

    def below_theta(self) -> dict[str, Tensor]:
        """Fraction of each modality's penalised scaling factors below the threshold; where the network exchanges, also
        that of all its channels that are replaced.
        """

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class TaskTraining(Protocol):
    """The training half of a task. One module implements it per kind of task; see `cenbench.train.task`."""

    OFFICIAL: str
    """Which of the released code's networks this task trains, as `cenbench.nn.official` names it."""

    def build(self, cell: Cell, classes: int) -> Network:
        """The cell's network, initialised from its seed. `classes` matters to segmentation only."""

    def batches(self, setup: Setup) -> TwoPartBatches:
        """The training split's augmented crops."""

    def trainer(self, setup: Setup, batches: Batches) -> Trainer:
        """A fresh network with its optimisers. Raises `CellSkipped` if pretrained weights it starts from are absent."""
