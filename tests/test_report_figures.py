"""Figures hold the right numbers, say what is missing, and are the same bytes each time; no file stops one."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from checkout import REPOSITORY
from scipy import stats

from cenbench.data.contact_sheet import label_colours
from cenbench.data.manifest import Manifest, write_manifest
from cenbench.evaluate import per_image
from cenbench.evaluate.per_image import ConfusionCollector, PerImage
from cenbench.evaluate.samples import side_by_side
from cenbench.files import sha256_bytes
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import DatasetSpec, dataset_key
from cenbench.metrics.inputs.gammas import GammaArrays, gamma_metrics
from cenbench.paths import Paths
from cenbench.records.read import CellRecord
from cenbench.report.figures.build import build_figure
from cenbench.report.figures.draw import draw
from cenbench.report.figures.figure import COLUMNS, Curve, Figure
from cenbench.report.index import write_index
from cenbench.report.pages import render_pages
from cenbench.report.render_figure import render_figure_csv, render_figure_html
from cenbench.stats.attraction import attraction, attraction_ratio
from cenbench.stats.scaling_factors import recovered
from cenbench.train.gamma_file import Gammas, LayerGammas, to_bytes

HOSTILE = "<script>alert('x')</script> & ]]> \\input{x}"
Files = Mapping[str, bytes]


@pytest.fixture(scope="module")
def demo() -> Plan:
    return load_plan(REPOSITORY / "params", "demo")


@pytest.fixture(scope="module")
def study() -> Plan:
    return load_plan(REPOSITORY / "params", "study")


def finished(cell: Cell, folder: Path, value: float = 1.0, files: Files | None = None, **document: Any) -> CellRecord:
    """A record with these files; every measured number is `value`."""
    names = ("miou_pct", "fid", "kid_x100", "mae_x10")
    metrics = {stream: dict.fromkeys(names, value) for stream in cell.streams}
    own = Paths(folder).cell(cell)
    for name, data in (files or {}).items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_bytes(data)
    listed = {"files": {name: sha256_bytes(data) for name, data in (files or {}).items()}}
    return CellRecord(cell, "ok", None, metrics, {}, own, None, {}, {"metrics": metrics, **listed, **document})


def unfinished(cell: Cell, folder: Path) -> CellRecord:
    return CellRecord(cell, "missing", "not run yet", {}, {}, folder / cell.id, None)


def figure_of(plan: Plan, name: str, record: Callable[[Cell], CellRecord]) -> Figure:
    layout = plan.figure(name)
    return build_figure(plan.preset, layout, {cell.id: record(cell) for cell in layout.cells})


def curve(figure: Figure, panel: int, label: str) -> Curve:
    return next(curve for curve in figure.panels[panel].curves if curve.label == label)


def history(column: str, *values: float) -> Files:
    lines = [f"step,{column},below_theta_shade,below_theta_texture"]
    lines += [f"{10 * (place + 1)},{value},0.2,0.4" for place, value in enumerate(values)]
    return {"history.csv": ("\n".join(lines) + "\n").encode()}


# ---------------------------------------------------------------- numbers


def test_learning_curves_are_means_over_seeds_with_their_standard_deviation(study: Plan, tmp_path: Path) -> None:
    def record(cell: Cell) -> CellRecord:
        return finished(cell, tmp_path, files=history("nll_ensemble", 2.0 + cell.seed, 1.0 + cell.seed**2))

    drawn = curve(figure_of(study, "figure-learning", record), 0, "l1 term and exchange")
    firsts, seconds = [3.0, 4, 5, 6, 7], [2.0, 5, 10, 17, 26]
    assert drawn.x == (10, 20)
    assert drawn.y == (statistics.mean(firsts), statistics.mean(seconds))
    assert drawn.high[1] - drawn.y[1] == pytest.approx(statistics.stdev(seconds))
    assert len(drawn.cells) == 5


def test_steps_that_one_seed_lacks_are_not_averaged(study: Plan, tmp_path: Path) -> None:
    def record(cell: Cell) -> CellRecord:
        return finished(cell, tmp_path, files=history("nll_ensemble", *([1.0] * (2 if cell.seed == 1 else 3))))

    assert curve(figure_of(study, "figure-learning", record), 0, "l1 term").x == (10, 20)


def test_sensitivity_shows_each_theta_over_lambda(study: Plan, tmp_path: Path) -> None:
    def record(cell: Cell) -> CellRecord:
        value = 1000 * cell.protocol.lambda_l1 + 10 * cell.protocol.theta + cell.seed
        return finished(cell, tmp_path, value, history("l1", 1.0))

    figure = figure_of(study, "figure13", record)
    score, share = curve(figure, 0, "\N{GREEK SMALL LETTER THETA} = 0.3"), figure.panels[1].curves[0]
    assert score.x == (5e-3, 1e-2, 2e-2, 4e-2, 8e-2)
    assert score.y == pytest.approx([1000 * x + 3 + 3 for x in score.x])  # seeds 1 to 5 have the mean 3
    assert np.subtract(score.high, score.y) == pytest.approx([statistics.stdev([1, 2, 3, 4, 5])] * 5)
    assert share.y == pytest.approx([30.0] * 5)  # the mean of 20 and 40 %
    assert "Measured on the tuning split" in figure.notes[0]
    paper = figure_of(load_plan(REPOSITORY / "params", "paper"), "figure13", lambda cell: unfinished(cell, tmp_path))
    assert "Measured on the validation split" in paper.notes[0]


def test_a_curve_breaks_where_no_cell_is_finished(study: Plan, tmp_path: Path) -> None:
    """A line from 0.01 to 0.04 would show a value at 0.02 that nobody measured."""

    def record(cell: Cell) -> CellRecord:
        lost = cell.protocol.lambda_l1 == 2e-2 and cell.protocol.theta == 0.3
        return unfinished(cell, tmp_path) if lost else finished(cell, tmp_path, 5.0, history("l1", 1.0))

    figure = figure_of(study, "figure13", record)
    for panel in figure.panels:
        parts = [curve for curve in panel.curves if curve.label == "θ = 0.3"]
        assert [part.x for part in parts] == [(5e-3, 1e-2), (4e-2, 8e-2)]
        assert [len(part.cells) for part in parts] == [10, 10]
        assert len(panel.curves) == 6
        assert panel.x_ticks == (5e-3, 1e-2, 2e-2, 4e-2, 8e-2)
    assert draw(figure, "svg").decode().count("\N{GREEK SMALL LETTER THETA} = 0.3<") == 1, "one entry of the legend"


def test_a_mean_over_some_of_the_seeds_says_so(study: Plan, tmp_path: Path) -> None:
    """Nothing is said of networks that are finished, or that have not been started."""
    first, second, *_ = (series.cells for series in study.figure("figure-learning").series)
    done = {*first, *second[:2]}

    def record(cell: Cell) -> CellRecord:
        values = history("nll_ensemble", 1.0)
        return finished(cell, tmp_path, files=values) if cell in done else unfinished(cell, tmp_path)

    assert figure_of(study, "figure-learning", record).notes == (
        "Drawn from fewer seeds than declared: l1 term (2 of 5).",
    )


def test_scores_are_drawn_over_parameters(demo: Plan, tmp_path: Path) -> None:
    def record(cell: Cell) -> CellRecord:
        parameters = {"total": 2_000_000 if cell.merged else 3_000_000, "fusion": 0, "flops": 1}
        return finished(cell, tmp_path, 40.0 if cell.fusion == "exchange" else 30.0, parameters=parameters)

    figure = figure_of(demo, "figure-parameters", record)
    assert [panel.title for panel in figure.panels] == ["Commonly used", "Same as ours"]
    for panel in figure.panels:
        ours = next(one for one in panel.curves if one.label == "Ours")
        assert (ours.x, ours.y) == ((3.0,), (40.0,))
        assert sum(len(one.x) for one in panel.curves) == 2 + 1 + 16  # networks of one modality, ours, the group's
    concat = curve(figure, 0, "Concat")
    assert (concat.x, sorted(concat.texts)) == ((2.0,) * 4, ["all", "early", "late", "middle"])
    assert all(math.isnan(low) for low in concat.low)  # one seed has no spread


def test_scores_are_drawn_over_the_number_of_modalities(demo: Plan, tmp_path: Path) -> None:
    figure = figure_of(demo, "figure-modalities", lambda cell: finished(cell, tmp_path, 100.0 / len(cell.task.inputs)))
    ours, single = curve(figure, 0, "Ours"), curve(figure, 0, "One modality")
    assert sorted(set(zip(ours.x, ours.y, strict=True))) == [(2, 50.0), (3, 100 / 3), (4, 25.0)]
    assert sorted(single.texts) == ["D", "N", "S", "T"]


# ---------------------------------------------------------------- scaling factors


def gammas(cell: Cell, *layers: np.ndarray, exchanges: bool = True, share: float = 0.0) -> Files:
    """Layers (T, M, C), recorded at steps 10, 20, ...; every share exchanged is `share`."""
    T, M, _ = layers[0].shape
    shape_TM = np.full((T, M), share, np.float32)
    tenths_TMD = np.tile(np.linspace(0.05, 0.95, 10, dtype=np.float32), (T, M, 1))
    deciles_TMD = np.zeros((T, M, 9), np.float32)
    found = {
        f"norms.{place}": LayerGammas(
            exchanges, path[-1].astype(np.float32), shape_TM, shape_TM, shape_TM, deciles_TMD, path.astype(np.float32)
        )
        for place, path in enumerate(layers)
    }
    theta = cell.protocol.theta
    recorded = Gammas(theta, 0.02, 10 * np.arange(1, T + 1), found, tenths_TMD, (tenths_TMD / 2).astype(np.float32))
    return {"gammas.safetensors": to_bytes(recorded)}


def test_the_distribution_has_the_share_below_theta_written_in(demo: Plan, tmp_path: Path) -> None:
    """One layer of four channels; a quarter, a half, and three quarters of them are below theta = 0.5."""
    final_MC = np.array([[0.1, 1, 1, 1], [0.1, -0.2, 1, 1], [0.1, -0.2, 0.3, 1]])

    def record(cell: Cell) -> CellRecord:
        return finished(cell, tmp_path, files=gammas(cell, final_MC[None]))

    for name in ("figure11", "figure12"):
        figure = figure_of(demo, name, record)
        assert len(figure.panels) == 3
        for panel in figure.panels:
            assert panel.note.splitlines()[1:] == ["shade 25 %", "texture 50 %", "depth 75 %"]
            assert panel.lines[0].at == 0.5
            assert [sum(one.y) for one in panel.curves] == pytest.approx([100.0] * 3)


def test_a_figure_of_one_layer_shows_the_one_that_it_names(demo: Plan, tmp_path: Path) -> None:
    """The U-Net's first convolution has no norm, so its first norm follows convolution 2; the demo has no seventh."""
    first, second = np.full((1, 3, 4), 0.1), np.full((1, 3, 4), 0.9)
    figure = figure_of(demo, "figure11", lambda cell: finished(cell, tmp_path, files=gammas(cell, first, second)))
    assert [panel.x_label.rpartition(", ")[2] for panel in figure.panels] == ["convolution 3"] * 3
    assert figure.panels[0].note.splitlines()[1] == "shade 0 %"
    assert "no constrained norm after convolution 7: convolution 3 is shown" in figure.notes[1]
    [note] = figure_of(demo, "figure12", lambda cell: finished(cell, tmp_path, files=gammas(cell, first, second))).notes
    assert note.startswith("Below \N{GREEK SMALL LETTER THETA}, over all modalities: No l1 term 50 %, ")


def test_trajectories_count_channels_that_come_back(demo: Plan, tmp_path: Path) -> None:
    """Two modalities of four channels each, of which the first and the second half is constrained."""
    path_TMC = np.ones((3, 2, 4))
    path_TMC[:, 0, 0] = [1, 0.1, 0.1]  # falls, stays
    path_TMC[:, 0, 1] = [0.1, 0.1, 1]  # comes back
    path_TMC[:, 0, 2] = [1, 0.1, 0.1]  # not constrained
    path_TMC[:, 1, 3] = [1, -0.4, -0.4]  # falls below |theta| = 0.5, stays
    figure = figure_of(demo, "figure5", lambda cell: finished(cell, tmp_path, files=gammas(cell, path_TMC)))
    assert [panel.title for panel in figure.panels] == [f"{w} exchange, convolution 1" for w in ("Without", "With")]
    assert "3 constrained scaling factors of all modalities were below" in figure.notes[0]
    assert "1 of them from the first one on; 1 ended above it" in figure.notes[0]
    assert len(figure.panels[0].curves) == 4
    assert [line.at for line in figure.panels[0].lines] == [0.5], "no factor of the first modality comes near to -theta"
    assert sorted(one.y[1] for one in figure.panels[0].curves) == pytest.approx([0.1, 0.1, 0.1, 1.0])


def test_figure_5_counts_what_the_metric_is_a_share_of() -> None:
    path_TC = np.random.default_rng(4).uniform(-1, 1, (6, 40))
    found, empty = recovered(path_TC, 0.4), np.zeros((0, 1))
    gammas = GammaArrays(0.4, 2e-2, path_TC, np.ones((1, 40)), empty, empty, np.array([40]))
    assert 0 < found.recovered < found.small
    assert gamma_metrics(gammas)["recovered_pct"] == pytest.approx(100 * found.recovered / found.small)
    assert recovered(np.zeros((0, 5)), 0.1).small == 0


def test_exchanged_share_is_weighted_by_channels_and_noted_where_nothing_is_exchanged(
    demo: Plan, tmp_path: Path
) -> None:
    def record(cell: Cell) -> CellRecord:
        M = len(cell.task.inputs)
        share = 0.0 if cell.task.kind == "segmentation" else 0.95
        return finished(cell, tmp_path, files=gammas(cell, np.ones((2, M, 4)), np.ones((2, M, 12)), share=share))

    figure = figure_of(demo, "figure-exchange", record)
    assert curve(figure, 1, "all layers").y == pytest.approx([95.0, 95.0])
    assert ["exchanges nothing" in note or "exchanges 95 %" in note for note in figure.notes] == [True, True]
    assert [one.label for one in figure.panels[1].curves] == ["all layers", "convolution 2", "convolution 3"]


def test_the_curve_of_theorem_1_is_that_of_the_normal_distribution() -> None:
    ratio = np.linspace(0, 5, 50)
    assert np.allclose(attraction(ratio), 2 * stats.norm.cdf(ratio) - 1, atol=1e-14)  # both within a few ulp of 1
    assert np.allclose(attraction_ratio(attraction(ratio[:30])), ratio[:30], atol=1e-9)
    assert attraction_ratio(np.array([1.0]))[0] == math.inf


def test_attraction_shows_measured_shares_at_their_predicted_probability(demo: Plan, tmp_path: Path) -> None:
    def record(cell: Cell) -> CellRecord:
        return finished(cell, tmp_path, files=gammas(cell, np.ones((2, len(cell.task.inputs), 4))))

    figure = figure_of(demo, "figure4", record)
    measured = curve(figure, 1, "Translation, exchange")
    assert measured.x == pytest.approx(np.linspace(0.05, 0.95, 10), abs=1e-7)  # float32
    assert measured.y == pytest.approx(np.linspace(0.05, 0.95, 10) / 2, abs=1e-7)
    over_steps = curve(figure, 3, "Translation, exchange")
    assert over_steps.cells == measured.cells, "the mean over all seeds, as in the other panels"
    on_curve = curve(figure, 0, "Translation, exchange")
    assert 2 * stats.norm.cdf(on_curve.x) - 1 == pytest.approx(measured.x, abs=1e-7)


def test_the_theorem_is_held_against_the_gradients_of_each_layer(demo: Plan, tmp_path: Path) -> None:
    """Two layers: at the first, 30 points fewer channels are attracted than predicted, its gradients have twice a
    Gaussian's last decile; at the second nothing differs.
    """
    gaussian_D = stats.norm.ppf(0.5 + np.arange(1, 10) / 20)
    tails_D = np.array([*gaussian_D[:8], 2 * gaussian_D[8]])

    def record(cell: Cell) -> CellRecord:
        M = len(cell.task.inputs)
        shares_TM, zero_TMC = np.full((2, M), 0.5, np.float32), np.zeros((2, M, 4), np.float32)
        layers = {
            f"norms.{place}": LayerGammas(
                True,
                zero_TMC[0],
                shares_TM,
                measured,
                shares_TM,
                np.tile(deciles_D, (2, M, 1)).astype(np.float32),
                zero_TMC,
            )
            for place, (measured, deciles_D) in enumerate([(shares_TM - 0.3, tails_D), (shares_TM, gaussian_D)])
        }
        tenths_TMD = np.full((2, M, 10), 0.5, np.float32)
        recorded = Gammas(0.5, 0.02, np.array([10, 20]), layers, tenths_TMD, (tenths_TMD - 0.15).astype(np.float32))
        return finished(cell, tmp_path, files={"gammas.safetensors": to_bytes(recorded)})

    figure = figure_of(demo, "figure4", record)
    by_layer = curve(figure, 2, "Translation, exchange")
    assert by_layer.x == (2.0, 3.0), "the U-Net's first convolution has no norm"
    assert by_layer.y == pytest.approx((-0.3, 0.0), abs=1e-7)
    [note] = [note for note in figure.notes if note.startswith("Translation")]
    assert "zero attracts 35.0 % of the channels, theorem 1 predicts 50.0 %" in note
    assert "at convolution 2, by \N{MINUS SIGN}30.0 points" in note
    assert "the last decile of |gradient| is 2.0 times a Gaussian's" in note


# ---------------------------------------------------------------- pictures

CLASSES = ("wall", "chair", "lamp")


def segmented(cell: Cell, wrong: bool) -> tuple[Files, dict[str, Any]]:
    """A scene of 4 x 4 pixels, number 2 of the split: half wall, half chair; `wrong` ones take a quarter for a lamp."""
    truth_HW = np.repeat([[0], [0], [1], [1]], 4, axis=1)
    output_HW = truth_HW.copy()
    output_HW[0] = 2 if wrong else 0
    collector = ConfusionCollector(cell.streams, 3)
    counts_KK = np.zeros((3, 3), np.int64)
    np.add.at(counts_KK, (truth_HW.ravel(), output_HW.ravel()), 1)
    collector.add(np.tile(counts_KK, (3, len(cell.streams), 1, 1)))
    inputs = [np.full((4, 4, 3), 90, np.uint8) for _ in cell.task.inputs]
    shown = [label_colours(labels) for labels in (truth_HW, *[output_HW] * len(cell.streams))]
    files = {
        "samples/thin-0002.png": side_by_side([*inputs, *shown]),
        "per_image.safetensors": per_image.to_bytes(collector.collected()),
    }
    return files, {"per_class_iou_pct": {"ensemble": dict.fromkeys(sorted(CLASSES), 1.0)}}  # as JSON has them


def dataset_manifest(spec: DatasetSpec, classes: tuple[str, ...]) -> Manifest:
    """That of a dataset without any array."""
    first, splits = 0, {}
    for split, scenes in spec.split_sizes.items():
        splits[split] = (first, first + scenes)
        first += scenes
    return Manifest(
        name=spec.name, version=spec.version, spec=spec, size_px=spec.shape_px, splits=splits, modalities={},
        classes=classes, files={}, licence="none", citation="none",
    )  # fmt: skip


def test_pictures_of_segmentation_have_their_iou_and_an_error_map(demo: Plan, tmp_path: Path) -> None:
    spec = demo.figure("figure6").cells[0].dataset
    manifest = dataset_manifest(spec, CLASSES)
    write_manifest(Paths(tmp_path).data / dataset_key(spec), manifest)

    def record(cell: Cell) -> CellRecord:
        files, document = segmented(cell, wrong=cell.fusion == "concat")
        return finished(cell, tmp_path, files=files, **document)

    grid = figure_of(demo, "figure6", record).pictures
    assert grid is not None
    assert grid.columns == ("input rgb", "input depth", "RGB", "Depth", "Concat", "Align", "Self-att.", "Ours", "truth")
    assert grid.rows == ("thin, scene 2", "errors")
    value = {grid.columns[tile.column]: tile.value for tile in grid.tiles if tile.value is not None}
    assert value["Ours"] == 100.0
    assert value["Concat"] == pytest.approx(100 * (4 / 8 + 1 + 0) / 3)  # wall, chair, and the lamp that is not there
    error = next(tile.picture_HW3 for tile in grid.tiles if (tile.row, tile.column) == (1, 4))
    assert [tuple(colour) for colour in error[:, 0]] == [(214, 39, 40), *[(226, 226, 226)] * 3]
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in label_colours(np.arange(3)[None])[0].tolist()]
    assert grid.legend == tuple(zip(CLASSES, colours, strict=True))


def test_pictures_of_translation_have_their_own_error(demo: Plan, tmp_path: Path) -> None:
    def record(cell: Cell) -> CellRecord:
        pictures = [np.full((4, 4, 3), 100, np.uint8) for _ in (*cell.task.inputs, "target", *cell.streams)]
        means = {stream: {"mae_x10": np.array([1.0, 2.0, 3.25])} for stream in cell.streams}
        scores = per_image.to_bytes(PerImage(3, means=means))
        files = {"samples/detail-0001.png": side_by_side(pictures), "per_image.safetensors": scores}
        return finished(cell, tmp_path, files=files)

    figure = figure_of(demo, "figure8", record)
    assert figure.pictures is not None
    assert {tile.value for tile in figure.pictures.tiles if tile.value is not None} == {20.0}, (
        "ten times the mean error"
    )
    assert not figure.pictures.legend


def test_generated_depth_has_the_contrast_of_its_target_and_missing_depth_is_marked(demo: Plan, tmp_path: Path) -> None:
    """A target from 150 to 180 with a hole, and an output of 165 that also fills the hole."""
    target = np.repeat(np.array([[0, 150, 165, 180]], np.uint8), 4, axis=0)[..., None].repeat(3, axis=-1)

    def record(cell: Cell) -> CellRecord:
        pictures = [*[target] * (len(cell.task.inputs) + 1), *[np.full_like(target, 165)] * len(cell.streams)]
        return finished(cell, tmp_path, files={"samples/detail-0001.png": side_by_side(pictures)})

    grid = figure_of(demo, "figure9", record).pictures
    assert grid is not None
    row = {grid.columns[tile.column]: tile.picture_HW3[0].tolist() for tile in grid.tiles if tile.row == 0}
    assert row["truth"] == [[110, 0, 0], [0, 0, 0], [128, 128, 128], [255, 255, 255]]
    assert row["Ours"] == [[128, 128, 128]] * 4
    assert row["input rgb"] == target[0].tolist(), "inputs stay as they are"
    errors = {tile.column: tile.picture_HW3[0].tolist() for tile in grid.tiles if tile.row == 1}
    assert errors[grid.columns.index("Ours")][::2] == [[214, 39, 40], [226, 226, 226]]


def test_inputs_keep_their_order_whichever_network_is_finished(demo: Plan, tmp_path: Path) -> None:
    def record(cell: Cell) -> CellRecord:
        if cell.task.inputs == ("rgb",):
            return unfinished(cell, tmp_path)
        return finished(cell, tmp_path, files=segmented(cell, wrong=False)[0])

    grid = figure_of(demo, "figure6", record).pictures
    assert grid is not None
    assert grid.columns[:3] == ("input rgb", "input depth", "Depth")


def test_records_without_hard_scenes_are_named(demo: Plan, tmp_path: Path) -> None:
    figure = figure_of(demo, "figure6", lambda cell: finished(cell, tmp_path, files={"samples/000.png": b"?"}))
    assert figure.is_empty
    assert "no hard scenes" in figure.problems[0].reason


# ---------------------------------------------------------------- what is missing, and files


ALL = [
    *(f"figure{number}" for number in range(4, 14)),
    *("figure-parameters", "figure-modalities", "figure-learning", "figure-exchange"),
]


@pytest.mark.parametrize("name", ALL)
def test_a_figure_without_any_finished_cell_says_so(demo: Plan, tmp_path: Path, name: str) -> None:
    figure = figure_of(demo, name, lambda cell: unfinished(cell, tmp_path))
    assert dict(figure.states) == {"missing": len(demo.figure(name).cells)}
    page = render_figure_html(figure)
    assert "not run yet" in page
    if name != "figure4":  # whose curve needs no cell
        assert "no finished cell" in page


@pytest.mark.parametrize("name", ALL)
def test_damaged_files_of_finished_cells_stop_no_figure(demo: Plan, tmp_path: Path, name: str) -> None:
    junk = {
        "gammas.safetensors": b"{",
        "per_image.safetensors": b"",
        "history.csv": b"step\n",
        "samples/thin-1.png": b"P",
    }
    assert render_figure_html(figure_of(demo, name, lambda cell: finished(cell, tmp_path, files=junk)))


def test_unfinished_cells_are_left_out_and_named_and_the_rest_is_shown(study: Plan, tmp_path: Path) -> None:
    def record(cell: Cell) -> CellRecord:
        made = finished(cell, tmp_path, float(cell.seed), history("nll_ensemble", float(cell.seed)))
        if cell.seed == 2:
            return replace(made, state="failed", reason=f"bad: {HOSTILE}")
        return replace(made, state="stale", reason="old") if cell.seed == 3 else made

    figure = figure_of(study, "figure-learning", record)
    assert curve(figure, 0, "l1 term").y == (statistics.mean([1, 4, 5]),)
    assert [(problem.state, len(problem.cells)) for problem in figure.problems] == [("failed", 3), ("stale", 3)]
    page = render_figure_html(figure)
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


@pytest.fixture(scope="module")
def learning(study: Plan, tmp_path_factory: pytest.TempPathFactory) -> Figure:
    folder = tmp_path_factory.mktemp("learning")
    files = {seed: history("nll_ensemble", 3.0, 2.0 / seed) for seed in range(1, 6)}
    return figure_of(study, "figure-learning", lambda cell: finished(cell, folder, files=files[cell.seed]))


@pytest.mark.parametrize("suffix", ["pdf", "png", "svg"])
def test_the_same_figure_gives_the_same_bytes_whatever_the_users_settings_are(learning: Figure, suffix: str) -> None:
    import matplotlib as mpl

    before = draw(learning, suffix)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        assert draw(learning, suffix) == before
        assert mpl.rcParams["font.size"] == 30


def test_the_pdf_embeds_truetype_fonts_at_the_width_of_the_paper(learning: Figure) -> None:
    data = draw(learning, "pdf")
    assert b"/FontFile2" in data
    assert b"/Type3" not in data  # bitmap-like fonts, which publishers refuse
    [width_pt] = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ", data)
    assert float(width_pt) == pytest.approx(5.5 * 72)


def test_the_drawing_on_the_page_is_described_and_takes_the_pages_colours(learning: Figure) -> None:
    page = render_figure_html(learning)
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.DOTALL)[0])  # type: ignore[index]
    space = "{http://www.w3.org/2000/svg}"
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-labelledby"] == "figure-title figure-desc"
    title, desc = svg.find(f"{space}title"), svg.find(f"{space}desc")
    assert title is not None
    assert desc is not None
    assert title.text == learning.layout.heading
    assert "l1 term and exchange: 2 points, from 3 at 10 to" in str(desc.text)
    assert "currentColor" in page
    assert not re.search(r"src=|href=\"http", page)  # nothing is loaded
    assert not list(svg.iter(f"{space}script"))
    texts = {text.text for text in svg.iter(f"{space}text")}
    assert {"training step", "negative log-likelihood (ensemble)", "l1 term"} <= texts  # text, not outlines


def test_the_csv_holds_every_number_exactly(learning: Figure) -> None:
    rows = list(csv.DictReader(io.StringIO(render_figure_csv(learning))))
    assert len(rows) == sum(len(one.x) for panel in learning.panels for one in panel.curves)
    assert [float(row["y"]) for row in rows if row["series"] == "l1 term"] == list(curve(learning, 0, "l1 term").y)
    assert len(rows[0]["cells"].split()) == 5


def test_figures_are_written_in_every_format_and_listed_in_the_index(study: Plan, tmp_path: Path) -> None:
    one = study.select(figures=["figure-learning"])
    records = {
        cell.id: finished(cell, tmp_path, files=history("nll_ensemble", 1.0, 0.5)) for cell in one.cells.values()
    }
    render_pages(study, records, tmp_path / "reports", figures=["figure-learning"])
    folder = tmp_path / "reports" / "study"
    assert {path.suffix for path in folder.glob("figure-learning.*")} == {".html", ".pdf", ".png", ".csv", ".json"}
    assert all((folder / "cells" / f"{cell_id}.html").is_file() for cell_id in one.cells)
    write_index(tmp_path / "reports")
    index = (tmp_path / "reports" / "index.html").read_text()
    assert 'href="study/figure-learning.html"' in index
    assert "15 of 15 cells" in index
    before = {path: path.read_bytes() for path in folder.glob("figure*")}
    shutil.rmtree(folder)
    render_pages(study, records, tmp_path / "reports", figures=["figure-learning"])
    assert all(path.read_bytes() == data for path, data in before.items())


@pytest.mark.parametrize("template", ["series", "points"])
def test_the_templates_for_dvc_read_columns_that_a_figure_has(template: str) -> None:
    text = (REPOSITORY / ".dvc" / "plots" / f"{template}.json").read_text()
    fields = set(re.findall(r'"field": "(\w+)"', text)) | set(re.findall(r"datum\.(\w+)", text))
    assert fields - {"rev"} <= set(COLUMNS)
    if template == "series":
        assert {"series", "cells"} <= fields, "parts of a curve that breaks are of different cells"
