"""What a network costs, for the record: parameters, operations, and what its ensemble learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cenbench.nn.network import Network
from cenbench.nn.parameters import count_flops, count_fusion_parameters, count_parameters


def network_cost(network: Network, streams: Sequence[str], shape: tuple[int, ...]) -> dict[str, Any]:
    """`total` and `fusion` parameters, `flops` of one forward pass of `shape` (B, M, 3, H, W), ensemble weights."""
    return {
        "total": count_parameters(network),
        "fusion": count_fusion_parameters(network),
        "flops": count_flops(network, shape),
        "ensemble_weights": dict(zip(streams[:-1], network.ensemble.weights_M().tolist(), strict=True)),
    }
