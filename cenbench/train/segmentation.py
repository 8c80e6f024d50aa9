"""Training a segmentation cell: SGD in phases, one loss per output, l1 on the scaling factors.

Source: paper.md#segmentation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cenbench.data.batches import SegmentationBatches
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import SegmentationNet, SegmentationPhase, SegmentationProtocol
from cenbench.nn.segmenter import Segmenter, build_segmenter
from cenbench.nn.sparsity import Sparsity
from cenbench.train.encoder_start import start_from_pretraining
from cenbench.train.imagenet import load_imagenet
from cenbench.train.optimizers import SGD, Adam, Optimizer, rate_factor
from cenbench.train.segmentation_loss import segmentation_nll_S
from cenbench.train.setup import Setup
from cenbench.train.trainer import Batches

OFFICIAL = "segmenter"
_ADAMW_BETA2 = 0.999


def build(cell: Cell, classes: int) -> Segmenter:
    """The cell's network, initialised from its seed."""
    network, protocol = cell.part(SegmentationNet), cell.part(SegmentationProtocol)
    torch.manual_seed(cell.seed)
    return build_segmenter(
        modalities=len(cell.task.inputs),
        classes=classes,
        convs=cell.convs,
        norms=cell.norms,
        fusion=cell.fusion,
        fusion_parameters=cell.fusion_parameters,
        stage=cell.stage,
        merged=cell.merged,
        theta=protocol.theta,
        own_part_only=protocol.exchange_own_part_only,
        head=network.head,
        depth=network.depth,
        width=network.width,
        decoder_width=network.decoder_width,
        dropout=network.dropout,
        freeze_norm_statistics=protocol.freeze_norm_statistics,
        gamma_init=protocol.gamma_init,
    )


def batches(setup: Setup) -> SegmentationBatches:
    """Scaled, mirrored and cropped scenes of the training split."""
    cell = setup.cell
    return SegmentationBatches(setup.prepared, cell.task, cell.part(SegmentationProtocol), cell.seed)


def trainer(setup: Setup, batches: Batches) -> SegmentationTrainer:
    """Raises `CellSkipped` where the ImageNet weights the cell starts from are absent."""
    cell, paths = setup.cell, setup.paths
    made = SegmentationTrainer(cell, batches, setup.classes, setup.prepared.void, setup.device)
    if cell.network.imagenet_depth is not None:
        load_imagenet(made.network.encoder, cell.network.imagenet_depth, paths.weights)
    elif cell.pretraining is not None:
        start_from_pretraining(made.network.encoder, paths.state(cell.pretraining))
    return made


class SegmentationTrainer:
    """Network, optimisers and step of one segmentation cell, from a random start."""

    def __init__(self, cell: Cell, batches: Batches, classes: int, void: int, device: torch.device) -> None:
        self.protocol = cell.part(SegmentationProtocol)
        self.cell, self.batches, self.device, self.void = cell, batches, device, void
        self.network = build(cell, classes).to(device).train()
        self.sparsity = Sparsity(self.network, cell.l1)
        auxiliary = ["nll_auxiliary"] if self.network.has_auxiliary else []
        penalty = ["fusion_penalty"] if self.network.penalised else []
        self.losses = (*(f"nll_{stream}" for stream in cell.streams), "l1", *auxiliary, *penalty)
        self._phase: SegmentationPhase | None = None
        self._optimizer: Optimizer
        self._total = self.protocol.total_epochs * batches.steps_per_epoch

    def begin(self, step: int) -> None:
        """Make a new optimiser at the start of each phase; momentum is lost, as in the released code."""
        phase = self._phase_at(step)
        protocol = self.protocol
        factor = rate_factor(step, self._total, schedule=protocol.schedule, warmup_steps=protocol.warmup_steps)
        rates = [phase.lr_encoder * factor, phase.lr_decoder * factor]
        if phase is not self._phase:
            self._phase = phase
            self._optimizer = self._new_optimizer(rates)
        self._optimizer.set_rates(rates)

    def _new_optimizer(self, rates: list[float]) -> Optimizer:
        network, protocol = self.network, self.protocol
        groups = [network.encoder.parameters(), [*network.decoder.parameters(), *network.ensemble.parameters()]]
        if protocol.optimizer == "sgd":
            return SGD(groups, rates, momentum=protocol.momentum, weight_decay=protocol.weight_decay)
        betas = (protocol.momentum, _ADAMW_BETA2)
        return Adam(groups, rates, betas=betas, weight_decay=protocol.weight_decay, decoupled=True)

    def step(self, step: int) -> Tensor:
        x_BMCHW, label_BHW = (tensor.to(self.device, non_blocking=True) for tensor in self.batches.batch(step))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.protocol.precision == "bfloat16"):
            logits_BSKHW, penalty, auxiliary_BMKHW = self.network.outputs(x_BMCHW)
        nll_S = segmentation_nll_S(logits_BSKHW.float(), label_BHW, self.void)
        l1 = self.sparsity.penalty()
        loss = nll_S.sum() + self.protocol.l1_weight(len(nll_S)) * l1
        parts = [nll_S, l1[None]]
        if auxiliary_BMKHW is not None:
            auxiliary = segmentation_nll_S(auxiliary_BMKHW.float(), label_BHW, self.void).sum()
            loss = loss + self.protocol.auxiliary_weight * auxiliary
            parts.append(auxiliary[None])
        if self.network.penalised:
            loss = loss + penalty
            parts.append(penalty[None])
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return torch.cat([part.detach() for part in parts])

    def learning_rates(self) -> dict[str, float]:
        encoder, decoder = self._optimizer.rates
        return {"lr_encoder": encoder, "lr_decoder": decoder}

    def below_theta(self) -> dict[str, Tensor]:
        shares = {"below_theta": self.sparsity.below_theta(self.protocol.theta), "exchanged": self.sparsity.exchanged()}
        return {
            f"{kind}_{name}": share
            for kind, share_M in shares.items()
            if share_M is not None
            for name, share in zip(self.cell.task.inputs, share_M, strict=True)
        }

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _phase_at(self, step: int) -> SegmentationPhase:
        epoch = step // self.batches.steps_per_epoch
        for phase in self.protocol.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        return self.protocol.phases[-1]
