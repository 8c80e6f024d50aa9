"""Estimated disk space of cells and datasets before they exist, within a factor of two."""

from __future__ import annotations

from functools import singledispatch
from itertools import pairwise

from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import DatasetSpec, Network, SegmentationNet, TranslationNet

BYTES_PER_PARAMETER = 4
RECORD_BYTES = 2_000_000
"""Metrics, history, sample pictures, log and page of a cell."""
FILES_PER_CELL = 25
BYTES_PER_PIXEL = {"synthrooms": 21, "taskonomy": 18}
"""Bytes per pixel over all stored modalities; the other datasets store RGB, depth and a label: 6."""
_ENCODER = {18: 11.2e6, 34: 21.3e6, 50: 23.5e6, 101: 42.5e6, 152: 58.1e6}
_DECODER = 75.6e6
"""RefineNet at width 256 on bottlenecks: the released code's counts (R50 99.2 M, R101 118.2 M) minus the encoder."""
_PYRAMID = 25.5e6
"""PSPNet's head at width 512 with its auxiliary head: 3 x 3 x 4,096 x 512, 2,048 x 2,048, and 3 x 3 x 1,024 x 256."""


def parameters(cell: Cell) -> float:
    """Parameters of the evaluated network, without fusion operators."""
    copies = len(cell.task.inputs) if cell.convs == "unshared" else 1
    return copies * _network_parameters(cell.network)


@singledispatch
def _network_parameters(network: Network) -> float:
    raise TypeError(f"no estimate for {type(network).__name__}")


@_network_parameters.register
def _segmenter(network: SegmentationNet) -> float:
    encoder = _ENCODER[network.depth] * (network.width / 64) ** 2
    if network.head == "pspnet":
        return encoder + _PYRAMID * network.decoder_width / 512 * network.width / 64
    return encoder + _DECODER * (network.decoder_width / 256) ** 2


@_network_parameters.register
def _generator(network: TranslationNet) -> float:
    """pix2pix's U-Net: 4 x 4 convolutions, widths doubling up to eight times the first (54.4 M at 64, 8 levels)."""
    widths = [3, *(network.generator_width * min(2**level, 8) for level in range(network.levels))]
    pairs = list(pairwise(widths))
    down = sum(16 * a * b for a, b in pairs)
    up = sum(16 * a * b * (1 if level == network.levels - 1 else 2) for level, (a, b) in enumerate(pairs))
    return float(down + up)


def finished_bytes(cell: Cell) -> float:
    """Disk space of a finished cell: its weights and its record."""
    return BYTES_PER_PARAMETER * parameters(cell) + RECORD_BYTES


def state_bytes(cell: Cell) -> float:
    """Additional disk space of a running cell: three versions of its state, while one is being replaced.

    A version holds the network, the moments of its optimisers (SGD: one, Adam: two), and the best weights if they are
    selected. The discriminator is small compared with that.
    """
    best = 1 if cell.protocol.selection == "best" else 0
    return 3 * BYTES_PER_PARAMETER * parameters(cell) * (1 + cell.protocol.optimizer_moments + best)


def dataset_bytes(dataset: DatasetSpec) -> float:
    """Disk space of a prepared dataset, plus as much again for its shards during preparation."""
    height, width = dataset.shape_px
    scenes = dataset.scenes
    return 2.0 * BYTES_PER_PIXEL.get(dataset.name, 6) * scenes * height * width
