"""The parts of the cell that another starts from with `pretrained: embedded`.

As few different networks as possible: cells whose encoders have the same shape, on the same dataset, share one.
"""

from __future__ import annotations

from typing import Any

from cenbench.matrix.specs import (
    DatasetSpec,
    SegmentationEvaluation,
    SegmentationNet,
    SegmentationPhase,
    SegmentationProtocol,
)

_EVALUATED_AT_ONCE = 20
_DROPOUT = 0.1
_MOMENTUM = 0.9
_THETA = 0.02
"""Only counted: without exchange, theta changes nothing."""


def pretraining_parts(dataset: DatasetSpec, network: SegmentationNet, crop_px: int) -> dict[str, Any]:
    """Dataset, network, protocol, evaluation and seed of the pretraining, for a cell with these parts.

    RefineNet whatever the cell's head is: only the encoder is used. The validation split measures how good the network
    is; nothing is chosen by it.
    """
    recipe = network.pretraining
    return {
        "dataset": dataset,
        "network": SegmentationNet(
            head="refinenet",
            depth=network.depth,
            width=network.width,
            decoder_width=network.width,
            pretrained=False,
            dropout=_DROPOUT,
        ),
        "protocol": SegmentationProtocol(
            name="clean",
            phases=(SegmentationPhase(epochs=recipe.epochs, lr_encoder=recipe.lr, lr_decoder=recipe.lr),),
            optimizer="adamw",
            schedule="cosine",
            warmup_steps=recipe.warmup_steps,
            batch_size=recipe.batch_size,
            momentum=_MOMENTUM,
            weight_decay=recipe.weight_decay,
            lambda_l1=0.0,
            theta=_THETA,
            gamma_init=recipe.gamma_init,
            train_split="pretrain",
            crop_px=crop_px,
            scale_min=1.0,
            scale_max=1.0,
        ),
        "evaluation": SegmentationEvaluation(batch_size=_EVALUATED_AT_ONCE, samples=min(4, dataset.val_scenes)),
        "seed": recipe.seed,
    }
