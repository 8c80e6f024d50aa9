"""Corollary 1 on a trained cell: the two networks of the proof, made of its weights and compared."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.nn.corollary import CorollaryFails, Place, corollary_pair, smallest_place
from cenbench.paths import Paths
from cenbench.records.corollary import TOLERANCE, write_corollary, write_corollary_skipped
from cenbench.records.read import read_record
from cenbench.run.finished import finished_weights
from cenbench.train.device import choose_device
from cenbench.train.segmentation_loss import segmentation_nll_S
from cenbench.train.setup import Setup
from cenbench.train.task import training_of
from cenbench.train.train_cell import load_network


@dataclass(frozen=True)
class CorollaryResult:
    """What the two networks of the corollary compute on one scene; outputs are logits."""

    place: Place
    gamma: float
    """The trained factor at that place, before it was set to zero."""
    output_difference: float
    """Largest |f' - f| over all output streams, classes and pixels."""
    losses: dict[str, tuple[float, float]]
    """Output stream -> loss of f and of f'."""
    unadjusted_difference: float
    """The same difference if the channel is exchanged and no weight is adjusted."""
    weights_sha256: str
    """Of the weights that both were made of."""

    @property
    def loss_difference(self) -> float:
        """Largest difference of the losses of an output."""
        return max(abs(a - b) for a, b in self.losses.values())

    @property
    def equal(self) -> bool:
        """Whether outputs and losses are equal to the tolerance."""
        return self.output_difference <= TOLERANCE and self.loss_difference <= TOLERANCE


def check_corollary(
    cell: Cell, paths: Paths, device_name: str = "auto", *, layer: str | None = None
) -> CorollaryResult:
    """Build the networks of the proof from the cell's weights and compare them on a scene of the training split.

    The factor that is set to zero is the smallest one, of `layer` or of all layers that the construction applies to.
    Raises `UserError` where the cell has no finished weights, and with the reason where the construction does not
    apply to its network.
    """
    prepared = Prepared.open(paths.data / dataset_key(cell.dataset))
    training = training_of(cell)
    try:
        smallest_place(training.build(cell, len(prepared.classes)), layer)  # before weights are asked for
    except CorollaryFails as error:
        raise UserError(
            "corollary 1's construction does not apply to this cell",
            key="--layer" if layer is not None else None,
            found=str(error),
            expected="a ResNet of two or more modalities with unshared convolutions and private norms",
        ) from None
    trained = finished_weights(cell, paths, prepared)
    setup = Setup(cell, prepared, choose_device(device_name), paths)
    network = load_network(training, setup, trained)
    place = smallest_place(network, layer)
    gamma = float(network.state_dict()[f"{place.layer}.weight"][place.modality, place.channel])
    pair = corollary_pair(network, place)
    x_BMCHW, label_BHW = (tensor[:1].to(setup.device) for tensor in training.batches(setup).batch(0))
    with torch.no_grad():
        outputs: list[Tensor] = [f(x_BMCHW.double()) for f in (pair.without, pair.with_exchange, pair.unadjusted)]
    losses = [segmentation_nll_S(output, label_BHW, prepared.void).tolist() for output in outputs[:2]]
    return CorollaryResult(
        place=place,
        gamma=gamma,
        output_difference=float((outputs[1] - outputs[0]).abs().max()),
        losses=dict(zip(cell.streams, zip(*losses, strict=True), strict=True)),
        unadjusted_difference=float((outputs[2] - outputs[0]).abs().max()),
        weights_sha256=trained.weights_sha256,
    )


def record_corollary(cell: Cell, paths: Paths, device_name: str = "auto") -> CorollaryResult | None:
    """Check the cell and keep the result where claims read it; None for a cell that is skipped, which is kept too.

    Raises `UserError` as `check_corollary` does.
    """
    record = read_record(paths, cell)
    if record.state == "skipped":
        write_corollary_skipped(cell, paths, record.reason or "the cell is skipped")
        return None
    found = check_corollary(cell, paths, device_name)
    names = ("output_difference", "loss_difference", "unadjusted_difference")
    write_corollary(cell, paths, found.weights_sha256, {name: getattr(found, name) for name in names})
    return found
