"""The estimated disk space of a record, part by part, against files of that size written in the real formats."""

from __future__ import annotations

import numpy as np
import pytest
from checkout import REPOSITORY
from matplotlib.cbook import get_sample_data
from PIL import Image
from test_doctor import network

from cenbench.data.contact_sheet import label_colours
from cenbench.evaluate import per_image
from cenbench.evaluate.per_image import ImageConfusion, PerImage
from cenbench.evaluate.samples import side_by_side
from cenbench.matrix.cell import Cell
from cenbench.matrix.disk_size import (
    BYTES_PER_PARAMETER,
    GAMMAS_BYTES,
    finished_bytes,
    gammas_bytes,
    parameters,
    per_image_bytes,
    sample_bytes,
)
from cenbench.matrix.plan import load_plan
from cenbench.nn.sparsity import Sparsity, traced_norms
from cenbench.train.gamma_file import LARGEST_BYTES, Gammas, LayerGammas, to_bytes
from cenbench.train.gamma_recording import most_points

CELLS = {
    f"{cell.task.kind}, {preset}": cell
    for preset in ("demo", "paper")
    for cell in sorted(load_plan(REPOSITORY / "params", preset).cells.values(), key=lambda cell: len(cell.task.inputs))
    if not cell.merged
}
"""Per preset and kind of task, one with most inputs."""


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest) -> Cell:
    return CELLS[request.param]


def test_the_scaling_factors(cell: Cell) -> None:
    built = network(cell)
    norms, traced = Sparsity(built, "none").norms, traced_norms(built, cell.protocol.traced_convs)
    M = len(cell.task.inputs)
    T = most_points({name: norm.channels for name, norm in norms.items()}, M, traced)
    share_TM, tenths_TMD = np.zeros((T, M), np.float32), np.zeros((T, M, 10), np.float32)
    layers = {
        name: LayerGammas(
            exchanges=True,
            final_MC=np.zeros((M, norm.channels), np.float32),
            share_TM=share_TM,
            small_gradient_TM=share_TM,
            probability_TM=share_TM,
            gradient_deciles_TMD=tenths_TMD[..., 1:],
            path_TMC=np.zeros((T, M, norm.channels), np.float32) if name in traced else None,
        )
        for name, norm in norms.items()
    }
    written = to_bytes(Gammas(0.02, 1e-3, np.arange(1, T + 1), layers, tenths_TMD, tenths_TMD))
    assert 0.5 < gammas_bytes(cell) / len(written) < 2
    assert GAMMAS_BYTES == LARGEST_BYTES


def test_the_sample_pictures_of_a_photograph(cell: Cell) -> None:
    height, width = cell.dataset.shape_px
    photo = Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB").resize((width, height))
    gray = photo.convert("L").resize((width // 4, height // 4)).resize((width, height)).convert("RGB")
    blocks = np.kron(np.arange(64).reshape(8, 8) % 40, np.ones((-(-height // 8), -(-width // 8)), np.int64))
    labels = label_colours(blocks[:height, :width])
    drawn = {"rgb": np.asarray(photo), "semantic": labels}
    shown = (*cell.task.inputs, cell.task.target, *(cell.task.target for _ in cell.streams))
    # Each rotated by another number of rows: a PNG would store equal pictures side by side as one.
    rotated = (np.roll(drawn.get(name, np.asarray(gray)), 29 * place, axis=0) for place, name in enumerate(shown))
    picture = side_by_side(list(rotated))
    pictures = cell.evaluation.samples + (4 if cell.task.kind == "segmentation" else 2)
    assert 0.5 < sample_bytes(cell) / (pictures * len(picture)) < 2


def test_the_per_image_scores(cell: Cell) -> None:
    images = cell.dataset.split_sizes[cell.evaluation.split]
    if cell.task.kind == "segmentation":
        pairs = 100 * images
        classes = np.zeros(pairs, np.uint8)
        counts = ImageConfusion(40, np.arange(0, pairs + 1, 100), classes, classes, np.ones(pairs, np.uint32))
        confusion = dict.fromkeys(cell.streams, counts)
        scores = PerImage(images, confusion, boundaries=confusion)
    else:
        means = {name: np.zeros(images) for name in ("mae_x10", "mse_x10", "rmse_x10", "psnr_db", "ssim")}
        edges = {name: np.zeros(images) for name in ("near", "near_values", "away", "away_values")}
        scores = PerImage(images, means=dict.fromkeys(cell.streams, means), edges=dict.fromkeys(cell.streams, edges))
    assert 0.5 < per_image_bytes(cell) / len(per_image.to_bytes(scores)) < 2


def test_all_of_it_and_the_weights(cell: Cell) -> None:
    """The pictures lie in the record, and in base64 in the page; the scaling factors in the record and the state."""
    named = sample_bytes(cell) * 7 / 3 + per_image_bytes(cell) + 2 * gammas_bytes(cell)
    assert finished_bytes(cell) - BYTES_PER_PARAMETER * parameters(cell) == pytest.approx(named, abs=500_000)
