"""How much a trained network exchanges: the share of channels that are replaced, per layer and overall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from cenbench.matrix.cell import ENSEMBLE
from cenbench.nn.exchange import ConstrainedNorm


def exchanged_shares(network: nn.Module, inputs: Sequence[str]) -> dict[str, Any]:
    """For the record: `overall` (modality -> share of the channels of all exchanging layers, `ensemble` -> of all
    modalities) and `layers` (dotted name -> modality -> share). Empty for a network that nowhere exchanges.
    """
    masks = {
        name: mask_MC.cpu()
        for name, norm in network.named_modules()
        if isinstance(norm, ConstrainedNorm) and (mask_MC := norm.replaced_MC()) is not None
    }
    if not masks:
        return {}
    channels = sum(mask_MC.shape[1] for mask_MC in masks.values())
    counts = {name: sum(int(mask_MC[m].sum()) for mask_MC in masks.values()) for m, name in enumerate(inputs)}
    overall = {name: count / channels for name, count in counts.items()}
    overall[ENSEMBLE] = sum(counts.values()) / (channels * len(inputs))
    layers = {
        name: dict(zip(inputs, (int(row.sum()) / len(row) for row in mask_MC), strict=True))
        for name, mask_MC in masks.items()
    }
    return {"overall": overall, "layers": layers}
