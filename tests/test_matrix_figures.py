"""Figures declare cells in the terms of tables, share them with tables, and report mistakes with file, line and key."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from checkout import REPOSITORY

from cenbench.errors import UserError
from cenbench.matrix.figure import figure_names, figure_number, load_figure
from cenbench.matrix.history_columns import OPTIONAL_COLUMNS, history_columns
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.preset import load_preset
from cenbench.train.segmentation import SegmentationTrainer
from cenbench.train.trainer import Trainer
from cenbench.train.translation import TranslationTrainer

PARAMS = REPOSITORY / "params"


@pytest.fixture(scope="module")
def demo() -> Plan:
    return load_plan(PARAMS, "demo")


@pytest.fixture(scope="module")
def study() -> Plan:
    return load_plan(PARAMS, "study")


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_every_declared_figure_is_in_the_demo(demo: Plan) -> None:
    assert sorted(figure.name for figure in demo.figures) == sorted(figure_names(PARAMS))
    assert [figure_number(figure.name) for figure in demo.figures][:10] == list(range(4, 14))


def test_cells_are_shared_with_tables(demo: Plan) -> None:
    in_tables = {cell.id for table in demo.tables for cell in table.cells}
    for name in ("figure4", "figure5", "figure6", "figure8", "figure-parameters", "figure-learning", "figure-exchange"):
        assert {cell.id for cell in demo.figure(name).cells} <= in_tables
    [ours] = [series for series in demo.figure("figure6").series if series.emphasised]
    assert demo.shown_in(ours.cells[0].id)[:2] == ("table2", "table7")
    assert "figure6" in demo.figures_of(ours.cells[0].id)
    assert len(demo.cells) == len(in_tables | {cell.id for figure in demo.figures for cell in figure.cells})


def test_a_network_with_a_row_for_each_output_is_one_series(demo: Plan) -> None:
    """Table 8 has a row per output; its figure draws the ensembles, each once."""
    series = demo.figure("figure-modalities").series
    assert {one.stream for one in series if len(one.cells[0].task.inputs) > 1} == {"ensemble"}
    assert len({one.cells for one in series if one.group}) == len([one for one in series if one.group])
    labels = [one.label for one in series if one.group]
    assert labels
    assert all(label.startswith("Ensemble, ") for label in labels)


def test_only_the_first_seed_is_needed_for_pictures(study: Plan) -> None:
    assert {cell.seed for cell in study.figure("figure6").cells} == {1}
    assert {cell.seed for cell in study.figure("figure5").cells} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(("preset", "side"), [("demo", 3), ("study", 5)])
def test_the_grid_of_figure_13_is_measured_on_the_tuning_split_alone(preset: str, side: int) -> None:
    plan = load_plan(PARAMS, preset)
    grid = plan.figure("figure13")
    protocol = load_preset(PARAMS, preset).translation.protocol
    pairs = {(cell.protocol.lambda_l1, cell.protocol.theta) for cell in grid.cells}
    assert len(pairs) == side**2
    assert (protocol.lambda_l1, protocol.theta) in pairs
    assert grid.chosen == (protocol.lambda_l1, protocol.theta)
    assert {cell.evaluation.split for cell in grid.cells} == {"tune"}
    assert all(cell.evaluation.split == "val" for table in plan.tables for cell in table.cells)


def test_the_grid_of_the_paper_shares_cells_with_its_tables() -> None:
    """Lambda and theta are the released code's, so nothing is chosen by it, and it is measured where the tables are."""
    plan = load_plan(PARAMS, "paper")
    grid = plan.figure("figure13")
    assert {cell.evaluation.split for cell in grid.cells} == {"val"}
    shared = {cell.id for table in plan.tables for cell in table.cells} & {cell.id for cell in grid.cells}
    assert len(shared) == 3, "one per seed"
    assert {(cell.protocol.lambda_l1, cell.protocol.theta) for cell in grid.cells if cell.id in shared} == {grid.chosen}


def test_a_selected_plan_has_the_figures_that_were_asked_for(demo: Plan) -> None:
    one = demo.select(figures=["figure5"])
    assert ([figure.name for figure in one.figures], one.tables) == (["figure5"], ())
    assert not demo.select(tables=["table7"]).figures
    exchange = demo.select(figures=["figure5"], method="exchange")
    assert [series.label for series in exchange.figures[0].series] == ["With exchange"]
    with pytest.raises(UserError, match="has no figure 'figur5'") as caught:
        demo.select(figures=["figur5"])
    assert "did you mean 'figure5'?" in str(caught.value.fix)


def test_a_preset_with_an_unknown_figure_is_reported(params: Path) -> None:
    edit(params / "presets" / "paper-cityscapes.yaml", "figures: [figure7]", "figures: [figure77]")
    with pytest.raises(UserError, match=r"unknown figure(?s:.*)found: 'figure77'") as caught:
        load_plan(params, "paper-cityscapes")
    assert "did you mean 'figure7'?" in str(caught.value)


MISTAKES = {
    "unknown key": ("figure5", "layer: 8", "layr: 8", "layr (line ", "did you mean 'layer'?"),
    "unknown kind": ("figure5", "trajectories", "trajectoris", "kind (line ", "did you mean 'trajectories'?"),
    "option of another kind": ("figure5", "layer: 8", "metric: fid", "metric", "is for figures of kind sensitivity"),
    "missing option": ("figure13", "metric: fid\n", "", "needs `metric:`", ""),
    "impossible cell": ("figure5", "l1: half", "l1: half, norms: shared", "duplicate key", ""),
    "unknown fusion": ("figure6", "fusion: concat", "fusion: concatt", "series[2].fusion (line ", "'concat'?"),
    "unknown output": ("figure8", "stream: texture", "stream: textur", "stream (line ", "did you mean 'texture'?"),
    "two series of one label": ("figure6", "label: Depth", "label: RGB", "labelled 'RGB'", ""),
    "pictures of two targets": (
        "figure8",
        "{label: Concat,",
        "{label: Concat, task: rgb+edge->depth,",
        "same target",
        "",
    ),
    "metric of another task": ("figure13", "metric: fid", "metric: miou_pct", "metric (line ", "translation cells"),
    "misspelled column": (
        "figure-learning",
        "column: nll_ensemble",
        "column: nll_ensembl",
        "column (line ",
        "did you mean 'nll_ensemble'?",
    ),
    "column of another task": ("figure-learning", "nll_ensemble", "distance_ensemble", "column (line ", "nll_rgb, "),
    "column of some cells": ("figure-learning", "nll_ensemble", "exchanged_rgb", "column (line ", "below_theta_rgb"),
    "grid of no preset": ("figure13", "  demo:", "  dem:", "no preset measures this grid", "did you mean 'demo'?"),
    "grid in no order": ("figure13", "[0.25, 0.5, 0.75]", "[0.5, 0.25]", "theta must be ascending", ""),
    "unknown table": ("figure-parameters", "[table2]", "[table22]", "unknown table", "'table2'?"),
    "no tuning split": ("figure13", "{dataset: {tune_scenes: 60}}", "{dataset: {seed: 2}}", "split tune has no", ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_its_place(params: Path, mistake: str) -> None:
    name, old, new, *expected = MISTAKES[mistake]
    edit(params / f"{name}.yaml", old, new)
    with pytest.raises(UserError) as caught:
        load_plan(params, "demo")
    for words in expected:
        assert words in str(caught.value)


def test_a_figure_states_where_it_departs_from_its_preset(study: Plan) -> None:
    """Figure 7 once claimed RefineNet, the head of the preset; pictures are of the first seed alone."""
    figure = study.figure("figure7")
    assert {cell.network.head for cell in figure.cells} == {"pspnet"}
    assert figure.protocol_lines[-2:] == ("Preset study, one seed (1).", "Whole figure: network.head pspnet.")


def test_every_file_parses_and_names_its_own_target() -> None:
    for name in figure_names(PARAMS):
        text = (PARAMS / f"{name}.yaml").read_text()
        assert f"snakemake {name} " in text.replace("\n", " ")
        assert load_figure(PARAMS, name).title


@pytest.mark.parametrize("fusion", ["exchange", "align", "uni-modal", "none"])
@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_the_columns_that_can_be_drawn_are_those_that_training_writes(study: Plan, kind: str, fusion: str) -> None:
    cell = next(cell for cell in study.cells.values() if (cell.task.kind, cell.fusion) == (kind, fusion))
    batches = SimpleNamespace(steps_per_epoch=1)
    trainer: Trainer
    if kind == "segmentation":
        trainer = SegmentationTrainer(cell, batches, 13, 255, torch.device("cpu"))  # type: ignore[arg-type]
    else:
        trainer = TranslationTrainer(cell, batches, torch.device("cpu"))  # type: ignore[arg-type]
    trainer.begin(0)
    written = {*trainer.losses, *trainer.learning_rates(), *trainer.below_theta()}
    assert written - set(OPTIONAL_COLUMNS) == set(history_columns(cell))
    assert ("fusion_penalty" in written) == (fusion == "align")


def test_two_series_of_the_same_cells_are_refused(params: Path) -> None:
    edit(params / "figure5.yaml", "Without exchange, exchange: false", "Without exchange, exchange: true")
    with pytest.raises(UserError, match="this series has the cells of another one: Without exchange") as caught:
        load_plan(params, "demo")
    assert "key: series[1]" in str(caught.value) and "found: With exchange" in str(caught.value)
