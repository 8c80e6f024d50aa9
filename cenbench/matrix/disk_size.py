"""Estimated disk space of cells and datasets before they exist, within a factor of two."""

from __future__ import annotations

from functools import singledispatch
from itertools import pairwise

from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import DatasetSpec, Network, SegmentationNet, TranslationNet

BYTES_PER_PARAMETER = 4
TEXT_BYTES = 300_000
"""Metrics, provenance, both copies of the history, logs, and the page without its pictures."""
PNG_BYTES_PER_PIXEL = {"rgb": 1.5, "semantic": 0.05}
"""Of a photograph and of labels drawn as colours."""
OTHER_PNG_BYTES_PER_PIXEL = 0.6
"""Of other modalities, which are drawn in grays."""
CONFUSED_PAIRS = 100
"""Pairs of a true and a predicted class in an image, of all its pixels; there are about as many near boundaries."""
GAMMAS_BYTES = 2 * 2**20
"""Most bytes of the recorded scaling factors (`cenbench.train.gamma_file`)."""
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
    """Disk space of a finished cell: its weights, its record, and its page, which holds the pictures in base64.

    The scaling factors lie beside the weights and in the record.
    """
    record = TEXT_BYTES + per_image_bytes(cell) + 2 * gammas_bytes(cell) + sample_bytes(cell) * (1 + 4 / 3)
    return BYTES_PER_PARAMETER * parameters(cell) + record


def sample_bytes(cell: Cell) -> float:
    """The sample pictures: the first scenes and the hard ones, each with its inputs, target and outputs."""
    height, width = cell.dataset.shape_px
    is_segmentation = cell.task.kind == "segmentation"
    shown = (*cell.task.inputs, cell.task.target, *(cell.task.target for _ in cell.streams))
    hard = 4 if is_segmentation else 2
    pictures = cell.evaluation.samples + hard if cell.evaluation.samples else 0
    rates = (PNG_BYTES_PER_PIXEL.get(name, OTHER_PNG_BYTES_PER_PIXEL) for name in shown)
    return pictures * height * width * sum(rates)


def per_image_bytes(cell: Cell) -> float:
    """The per-image scores: six bytes per pair of classes of each image and output, or eight per mean."""
    scenes = cell.dataset.split_sizes.get(cell.evaluation.split, cell.dataset.val_scenes)
    pairs_and_means = 6 * 2 * CONFUSED_PAIRS if cell.task.kind == "segmentation" else 8 * 10
    return float(scenes * len(cell.streams) * pairs_and_means)


def gammas_bytes(cell: Cell) -> float:
    """The recorded scaling factors: at most 200 points of a dozen shares per layer, and of one or two whole layers."""
    layers, traced_channels = _norms(cell.network)
    numbers = 12 * layers + 20 + traced_channels
    return float(min(GAMMAS_BYTES, 200 * 4 * len(cell.task.inputs) * numbers))


@singledispatch
def _norms(network: Network) -> tuple[int, int]:
    """Constrained norms of the encoder, and channels of those that are traced."""
    raise TypeError(f"no estimate for {type(network).__name__}")


@_norms.register
def _norms_of_segmenter(network: SegmentationNet) -> tuple[int, int]:
    return {18: 16, 34: 32, 50: 16, 101: 33, 152: 50}[network.depth], 2 * 2 * network.width


@_norms.register
def _norms_of_generator(network: TranslationNet) -> tuple[int, int]:
    norms = max(network.levels - 2, 1)
    return norms, min(2**norms, 8) * network.generator_width


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
