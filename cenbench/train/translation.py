"""Training a translation cell: a conditional GAN with l1 to the target and l1 on the scaling factors.

Source: paper.md#translation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cenbench.data.batches import TranslationBatches
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import TranslationNet, TranslationProtocol
from cenbench.nn.patchgan import build_discriminator
from cenbench.nn.sparsity import Sparsity
from cenbench.nn.unet import UNet, build_generator
from cenbench.train.optimizers import Adam, rate_factor
from cenbench.train.recorded_step import recorded_on
from cenbench.train.setup import Setup
from cenbench.train.trainer import Batches
from cenbench.train.translation_losses import adversarial_loss, image_distance_S

OFFICIAL = "generator"


def build(cell: Cell, classes: int = 0) -> UNet:
    """The cell's generator, initialised from its seed; images have no classes, so `classes` is not read."""
    network, protocol = cell.part(TranslationNet), cell.part(TranslationProtocol)
    torch.manual_seed(cell.seed)
    return build_generator(
        modalities=len(cell.task.inputs),
        convs=cell.convs,
        norms=cell.norms,
        fusion=cell.fusion,
        fusion_parameters=cell.fusion_parameters,
        stage=cell.stage,
        theta=protocol.theta,
        own_part_only=protocol.exchange_own_part_only,
        levels=network.levels,
        width=network.generator_width,
        dropout=network.dropout,
        gamma_init=protocol.gamma_init,
        norm_ends=network.encoder_norms == "all",
    )


def batches(setup: Setup) -> TranslationBatches:
    """Resized, mirrored and cropped scenes of the training split."""
    cell = setup.cell
    return TranslationBatches(setup.prepared, cell.task, cell.part(TranslationProtocol), cell.seed)


def trainer(setup: Setup, batches: Batches) -> TranslationTrainer:
    """Both networks from a random start: nothing pretrained is read."""
    return TranslationTrainer(setup.cell, batches, setup.device)


class TranslationTrainer:
    """Generator, discriminator, optimisers and step of one translation cell."""

    def __init__(self, cell: Cell, batches: Batches, device: torch.device) -> None:
        network, self.protocol = cell.part(TranslationNet), cell.part(TranslationProtocol)
        self.cell, self.batches, self.device = cell, batches, device
        self.network = build(cell).to(device).train()
        self.discriminator = build_discriminator(
            width=network.discriminator_width,
            layers=network.discriminator_layers,
            gamma_init=self.protocol.gamma_init,
        )
        self.discriminator.to(device).train()
        self.sparsity = Sparsity(self.network, cell.l1)
        penalty = ["fusion_penalty"] if self.network.penalised else []
        distances = (f"distance_{stream}" for stream in cell.streams)
        self.losses = ("discriminator", "adversarial", *distances, "l1", *penalty)
        self._generator_adam = self._adam(self.network)
        self._discriminator_adam = self._adam(self.discriminator)
        self._total = self.protocol.total_epochs * batches.steps_per_epoch
        self.recorded = recorded_on(device)

    def _adam(self, network: nn.Module) -> Adam:
        protocol = self.protocol
        return Adam(
            [network.parameters()],
            [protocol.lr],
            betas=(protocol.beta1, protocol.beta2),
            recordable=self.device.type == "cuda",
            rates_change=protocol.schedule != "constant" or protocol.warmup_steps > 0,
        )

    def begin(self, step: int) -> None:
        """There is one phase, and the optimisers exist already; only the learning rate follows its schedule."""
        protocol = self.protocol
        factor = rate_factor(step, self._total, schedule=protocol.schedule, warmup_steps=protocol.warmup_steps)
        for adam in (self._generator_adam, self._discriminator_adam):
            adam.set_rates([protocol.lr * factor])

    def step(self, step: int) -> Tensor:
        x_BMCHW, y_BCHW = (tensor.to(self.device, non_blocking=True) for tensor in self.batches.batch(step))
        if self.recorded is None:
            return self.step_on(x_BMCHW, y_BCHW)
        return self.recorded(self.step_on, x_BMCHW, y_BCHW)

    def step_on(self, x_BMCHW: Tensor, y_BCHW: Tensor) -> Tensor:
        """The discriminator's step, then the generator's, on one forward pass of the generator or on two."""
        M = x_BMCHW.shape[1]
        # Modalities outermost, so that each row of the discriminator's output belongs to one modality.
        condition = x_BMCHW.transpose(0, 1).flatten(0, 1)
        real = y_BCHW.repeat(M, 1, 1, 1)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.protocol.precision == "bfloat16"):
            image_BSCHW, penalty, _ = self.network.outputs(x_BMCHW)
            fake = image_BSCHW[:, :M].transpose(0, 1).flatten(0, 1)
            d_loss = self._discriminator_step(condition, real, fake.detach(), M)
            if self.protocol.two_generator_passes:
                image_BSCHW, penalty, _ = self.network.outputs(x_BMCHW)
                fake = image_BSCHW[:, :M].transpose(0, 1).flatten(0, 1)
            with _frozen(self.discriminator):
                answer = self.discriminator(condition, fake)
        adversarial = adversarial_loss(answer.float().reshape(M, -1), real=True)
        distance_S = image_distance_S(image_BSCHW.float(), y_BCHW)
        l1 = self.sparsity.penalty()
        loss = (
            adversarial + self.protocol.image_weight * distance_S.sum() + self.protocol.l1_weight(len(distance_S)) * l1
        )
        parts = [torch.stack([d_loss, adversarial]), distance_S, l1[None]]
        if self.network.penalised:
            loss = loss + penalty
            parts.append(penalty[None])
        self._generator_adam.zero_grad()
        loss.backward()
        self._generator_adam.step()
        return torch.cat([part.detach() for part in parts])

    def _discriminator_step(self, condition: Tensor, real: Tensor, fake: Tensor, M: int) -> Tensor:
        """Real and generated images share one pass: instance norms treat images independently."""
        answers = self.discriminator(condition.repeat(2, 1, 1, 1), torch.cat([real, fake])).float()
        on_real, on_fake = (half.reshape(M, -1) for half in answers.chunk(2))
        loss = 0.5 * (adversarial_loss(on_real, real=True) + adversarial_loss(on_fake, real=False))
        self._discriminator_adam.zero_grad()
        loss.backward()
        self._discriminator_adam.step()
        return loss.detach()

    def learning_rates(self) -> dict[str, float]:
        return {"lr": self._generator_adam.rates[0]}

    def below_theta(self) -> dict[str, Tensor]:
        shares = {"below_theta": self.sparsity.below_theta(self.protocol.theta), "exchanged": self.sparsity.exchanged()}
        return {
            f"{kind}_{name}": share
            for kind, share_M in shares.items()
            if share_M is not None
            for name, share in zip(self.cell.task.inputs, share_M, strict=True)
        }

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._stateful().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in self._stateful().items():
            part.load_state_dict(state[name])
        # A recording made before would use the optimisers' old state, in memory they have released.
        self.recorded = recorded_on(self.device)

    def _stateful(self) -> dict[str, Any]:
        return {
            "generator": self.network,
            "discriminator": self.discriminator,
            "generator_adam": self._generator_adam,
            "discriminator_adam": self._discriminator_adam,
        }


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the weights of `network` inside the context."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
