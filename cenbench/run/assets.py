"""Which pretrained files a cell needs. Torch-free: the Snakefile asks, so that a file that came runs a skipped cell."""

from __future__ import annotations

from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import SegmentationNet, TranslationEvaluation
from cenbench.train.assets import IMAGENET_FILES

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"


def pretrained_files(cell: Cell) -> list[str]:
    """File names below weights/ that the cell is trained from or measured with."""
    files = []
    if isinstance(cell.network, SegmentationNet) and cell.network.pretrained:
        files.append(IMAGENET_FILES[cell.network.depth])
    if isinstance(cell.evaluation, TranslationEvaluation) and cell.evaluation.extractor == "inception-v3":
        files.append(INCEPTION_FILE)
    return files
