"""The cells that are measured, at paper size and at a tiny one for a CPU, and their trainers on random batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from list_networks import copy_weights
from list_steps import list_generator, list_segmenter, segmentation_step, translation_step
from step import CLASSES, PARAMS, VOID, OneBatch
from torch import Tensor

from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan, load_plan
from cenbench.train.segmentation import SegmentationTrainer
from cenbench.train.translation import TranslationTrainer

AnyTrainer = SegmentationTrainer | TranslationTrainer


@dataclass(frozen=True)
class Case:
    """A cell of a preset with the paper's method: exchange, shared convolutions, private norms, half-channel l1."""

    name: str
    preset: str
    task: str
    side_px: int
    batch: int
    network: dict[str, Any] = field(default_factory=dict)
    """Changes to the preset's network."""

    @property
    def is_translation(self) -> bool:
        return self.task.endswith("->rgb")

    @property
    def has_list(self) -> bool:
        """Whether `list_networks.py` has this network as a list of modalities."""
        return self.network.get("head") != "pspnet"


TINY_SEGMENTER = {"depth": 18, "width": 4, "decoder_width": 8}
TINY_UNET = {"levels": 4, "generator_width": 4, "discriminator_width": 4, "discriminator_layers": 1}
_TWO, _THREE, _FOUR = "shade+texture->rgb", "shade+texture+depth->rgb", "shade+texture+depth+normal->rgb"
_LABELS = "rgb+depth->semantic"
CASES: dict[str, tuple[Case, ...]] = {
    "paper": (
        Case("RefineNet-101, 500 px, batch 6", "paper", _LABELS, 500, 6),
        Case("U-Net-256, 2 modalities, batch 1", "paper", _TWO, 256, 1),
        Case("U-Net-256, 3 modalities, batch 1", "paper", _THREE, 256, 1),
        Case("U-Net-256, 4 modalities, batch 1", "paper", _FOUR, 256, 1),
        Case("PSPNet-101, 500 px, batch 6", "paper", _LABELS, 500, 6, {"head": "pspnet"}),
    ),
    "tiny": (
        Case("RefineNet-18, 32 px, batch 2", "demo", _LABELS, 32, 2, TINY_SEGMENTER),
        Case("U-Net-32, 2 modalities, batch 1", "demo", _TWO, 32, 1, TINY_UNET),
        Case("U-Net-32, 4 modalities, batch 1", "demo", _FOUR, 32, 1, TINY_UNET),
        Case("PSPNet-18, 32 px, batch 2", "demo", _LABELS, 32, 2, {**TINY_SEGMENTER, "head": "pspnet"}),
    ),
}


@cache
def plan_of(preset: str) -> Plan:
    return load_plan(PARAMS, preset)


def cell_of(case: Case, precision: str) -> Cell:
    """The cell without dropout and pretrained weights, so that the formulations can be compared."""
    chosen = plan_of(case.preset).select(task=case.task, method="exchange", glob="*l1-half*").cells
    content = next(cell for cell in chosen.values() if cell.convs == "shared" and cell.norms == "unshared").model_dump()
    content["network"] |= {"dropout": 0.0, **case.network}
    if "pretrained" in content["network"]:
        content["network"]["pretrained"] = False
    content["protocol"] |= {"precision": precision, "batch_size": case.batch}
    if case.is_translation:
        content["protocol"] |= {"crop_px": case.side_px, "resize_px": case.side_px * 286 // 256}
    else:
        content["protocol"]["crop_px"] = case.side_px
    return Cell.model_validate(content)


def random_batch(case: Case, device: torch.device) -> tuple[Tensor, Tensor]:
    """x_BMCHW and its target: images in [-1, 1] or labels."""
    torch.manual_seed(0)
    M, side = len(cell_of(case, "float32").task.inputs), case.side_px
    x_BMCHW = torch.randn(case.batch, M, 3, side, side, device=device)
    if case.is_translation:
        return x_BMCHW, torch.rand(case.batch, 3, side, side, device=device) * 2 - 1
    return x_BMCHW, torch.randint(0, CLASSES, (case.batch, side, side), device=device)


def trainer_of(cell: Cell, batches: Any, device: torch.device, *, classes: int = CLASSES) -> AnyTrainer:
    """A trainer whose optimisers exist."""
    trainer: AnyTrainer
    if cell.task.kind == "segmentation":
        trainer = SegmentationTrainer(cell, batches, classes, VOID, device)
    else:
        trainer = TranslationTrainer(cell, batches, device)
    trainer.begin(0)
    return trainer


def parallel_trainer(case: Case, precision: str, device: torch.device) -> AnyTrainer:
    """Our trainer, on one random batch."""
    return trainer_of(cell_of(case, precision), OneBatch(*random_batch(case, device)), device)


def list_step(case: Case, precision: str, device: torch.device) -> Callable[[], None]:
    """A step of the released formulation, from the weights that our network starts with."""
    cell = cell_of(case, precision)
    x_BMCHW, y = random_batch(case, device)
    ours = trainer_of(cell, OneBatch(x_BMCHW, y), device).network
    theirs = list_generator(cell) if case.is_translation else list_segmenter(cell, CLASSES)
    theirs = theirs.to(device).train()
    copy_weights(ours, theirs)
    take = (translation_step if case.is_translation else segmentation_step)(cell, theirs, x_BMCHW, y)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            take()

    return step
