"""Values that no run can use are reported by the plan, at their key and line, and no such value reaches a cell."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cenbench.errors import UserError
from cenbench.matrix.limits import excesses
from cenbench.matrix.plan import load_plan
from cenbench.matrix.preset import load_preset, preset_names

PARAMS = Path(__file__).parents[1] / "params"
SEGMENTATION, TRANSLATION = "segmentation", "translation"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """The params of a demo with two tables, so that planning is fast."""
    params = Path(shutil.copytree(PARAMS, tmp_path / "params"))
    path = params / "presets" / "demo.yaml"
    text = re.sub(r"^tables: .*$", "tables: [table7, table8]", path.read_text(), flags=re.MULTILINE)
    path.write_text(re.sub(r"^figures: \[.*?^\]$", "figures: []", text, flags=re.MULTILINE | re.DOTALL))
    return params


def edit(path: Path, kind: str, old: str, new: str) -> None:
    """Replace the first `old` after the line `kind:`."""
    text = path.read_text()
    place = text.index(old, text.index(f"\n{kind}:\n"))
    path.write_text(text[:place] + new + text[place + len(old) :])


def error_of(params: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load_plan(params, "demo")
    return caught.value


@pytest.mark.parametrize(
    ("kind", "old", "new", "key"),
    [
        (SEGMENTATION, "crop_px: 64", "crop_px: 64000", "protocol.crop_px"),
        (SEGMENTATION, "crop_px: 64", "crop_px: 640", "protocol.crop_px"),
        (SEGMENTATION, "crop_px: 64", "crop_px: 1", "protocol.crop_px"),
        (TRANSLATION, "crop_px: 64", "crop_px: 64000", "protocol.crop_px"),
        (TRANSLATION, "resize_px: 72", "resize_px: 72000", "protocol.resize_px"),
        (TRANSLATION, "resize_px: 72", "resize_px: 60", "protocol.crop_px"),
        (SEGMENTATION, "lr_decoder: 3.0e-3", "lr_decoder: 1.0e+300", "protocol.phases[0].lr_decoder"),
        (SEGMENTATION, "lambda_l1: 2.0e-2", "lambda_l1: 1.0e+39", "protocol.lambda_l1"),
        (TRANSLATION, "lr: 2.0e-3", "lr: 1.0e+300", "protocol.lr"),
        (SEGMENTATION, "batch_size: 8", "batch_size: 201", "protocol.batch_size"),
        (TRANSLATION, "batch_size: 4", "batch_size: 201", "protocol.batch_size"),
        (SEGMENTATION, "batch_size: 20", "batch_size: 1000000000", "evaluation.batch_size"),
        (TRANSLATION, "batch_size: 20", "batch_size: 1000000000", "evaluation.batch_size"),
        (SEGMENTATION, "epochs: 7", "epochs: 1000000000", "protocol.phases"),
        (TRANSLATION, "epochs: 4", "epochs: 1000000000", "protocol.epochs"),
        (SEGMENTATION, "warmup_steps: 6", "warmup_steps: 1000000000", "protocol.warmup_steps"),
        (SEGMENTATION, "train_scenes: 200", "train_scenes: 1000001", "dataset.train_scenes"),
        (TRANSLATION, "val_scenes: 60", "val_scenes: 1000000000", "dataset.val_scenes"),
        (SEGMENTATION, "size_px: 64", "size_px: 64000", "dataset.size_px"),
        (TRANSLATION, "size_px: 64", "size_px: 64, width_px: 64000", "dataset.width_px"),
        (SEGMENTATION, "seed: 1}", "seed: 1, buildings: 261}", "dataset.buildings"),
        (SEGMENTATION, "seed: 1}", "seed: 1, version: 99}", "dataset.version"),
        (SEGMENTATION, "seed: 1}", "seed: 1, version: 1}", "dataset.version"),
        (SEGMENTATION, "name: synthrooms, size_px: 64", "name: nyudv2, version: 5, size_px: 64", "dataset.version"),
        (SEGMENTATION, "width: 16", "width: 1600000", "network.width"),
        (SEGMENTATION, "decoder_width: 16", "decoder_width: 1600000", "network.decoder_width"),
        (TRANSLATION, "generator_width: 16", "generator_width: 1600000", "network.generator_width"),
        (TRANSLATION, "discriminator_width: 8", "discriminator_width: 800000", "network.discriminator_width"),
        (TRANSLATION, "discriminator_layers: 2", "discriminator_layers: 5", "network.discriminator_layers"),
        (TRANSLATION, "levels: 4", "levels: 7", "protocol.crop_px"),
        (TRANSLATION, "kid_subsets: 20", "kid_subsets: 1000000000", "evaluation.kid_subsets"),
        (TRANSLATION, "kid_subset_size: 40", "kid_subset_size: 61", "evaluation.kid_subset_size"),
        (SEGMENTATION, "batch_size: 20", "samples: 61, batch_size: 20", "evaluation.samples"),
        (SEGMENTATION, "batch_size: 20", "scales: [1.0, 1000.0], batch_size: 20", "evaluation.scales"),
        (SEGMENTATION, "scale_max: 1.0", "scale_max: 1000.0", "protocol.scale_max"),
        (SEGMENTATION, "scale_min: 1.0", "scale_min: 0.001", "protocol.scale_min"),
        (SEGMENTATION, "crop_px: 64", "crop_px: 64\n    min_side_px: 64000", "protocol.min_side_px"),
        (SEGMENTATION, "crop_px: 64", "crop_px: 64\n    traced_convs: [1000]", "protocol.traced_convs"),
    ],
)
def test_a_value_that_no_run_can_use_is_reported_with_its_line(
    params: Path, kind: str, old: str, new: str, key: str
) -> None:
    path = params / "presets" / "demo.yaml"
    edit(path, kind, old, new)
    part, _, name = key.partition(".")
    section = path.read_text().index(f"\n{kind}:\n")
    place = path.read_text().index(f"{name.rpartition('.')[2]}:", path.read_text().index(f"{part}:", section))
    error = error_of(params)
    assert error.where == path
    assert error.key == f"{kind}.{key} (line {path.read_text()[:place].count(chr(10)) + 1})"


def test_an_override_of_a_row_is_reported_at_the_row(params: Path) -> None:
    path = params / "table7.yaml"
    row = "\n  - {convs: shared, norms: unshared, l1: half, exchange: true"
    for override, key in (
        ("protocol: {crop_px: 64000}", "protocol.crop_px"),
        ("evaluation: {batch_size: 1000000000}", "evaluation.batch_size"),
        ("dataset: {size_px: 8}", "protocol.crop_px"),  # of the preset: no longer fits
    ):
        shutil.copy(PARAMS / "table7.yaml", path)
        text = path.read_text()
        line = text[: text.index(row)].count("\n") + 2
        path.write_text(text.replace(row, f"{row}, override: {{{override}}}", 1))
        error = error_of(params)
        assert (error.where, error.key) == (path, f"rows[6].override.{key} (line {line})")


@pytest.mark.parametrize(
    ("kind", "dataset", "file", "task", "found", "others"),
    [
        (TRANSLATION, "nyudv2", "table8", "groups[0].task", "shade", "synthrooms, taskonomy"),
        (TRANSLATION, "nyudv2", "table8", "groups[1].task", "depth", "synthrooms, taskonomy"),
        (SEGMENTATION, "taskonomy", "table7", "defaults.task", "semantic", "synthrooms, cityscapes, nyudv2, sunrgbd"),
    ],
)
def test_a_task_whose_modality_the_dataset_lacks_is_reported_at_the_task(
    params: Path, kind: str, dataset: str, file: str, task: str, found: str, others: str
) -> None:
    edit(params / "presets" / "demo.yaml", kind, "name: synthrooms", f"name: {dataset}")
    error = error_of(params)
    assert error.where == params / f"{file}.yaml"
    assert re.search(rf"{re.escape(task)} \(line (\d+)\)", str(error))
    assert f"{dataset}, the dataset of this task, does not have this modality" in str(error)
    assert f"'{found}'" in str(error)
    assert f"datasets that have it: {others}" in str(error)


def test_a_dataset_serves_the_tasks_of_what_it_stores(params: Path) -> None:
    """Depth is planar for segmentation, and has that name of its own for translation: distance is another array."""
    edit(params / "presets" / "demo.yaml", SEGMENTATION, "name: synthrooms", "name: nyudv2")
    edit(params / "presets" / "demo.yaml", TRANSLATION, "name: synthrooms", "name: nyudv2")
    table = params / "table8.yaml"
    table.write_text(
        "number: 8\ntitle: T\ncaption: C\nmetrics: [fid]\nwhole: false\nstub: [{heading: Task, shows: task}]\n"
        "columns: [{label: Fusion, convs: shared, norms: unshared, l1: none, fusion: uni-modal, stream: ensemble}]\n"
        "rows: [{task: rgb->depth_zbuffer}, {task: depth_zbuffer->rgb}]\n"
    )
    assert len(load_plan(params, "demo").table("table8").cells) == 2
    table.write_text(table.read_text().replace("rgb->depth_zbuffer", "rgb->depth"))
    assert str(error_of(params).key) == "rows[0].task (line 8)"


def test_a_pretraining_and_a_selection_that_no_run_can_use(params: Path) -> None:
    path = params / "presets" / "demo.yaml"
    edit(path, SEGMENTATION, "seed: 1}", "seed: 1, pretrain_scenes: 8}")
    edit(path, SEGMENTATION, "pretrained: false", "pretrained: embedded, pretraining: {epochs: 100000000}")
    assert "segmentation.network.pretraining.epochs" in str(error_of(params).key)
    edit(path, SEGMENTATION, "epochs: 100000000", "warmup_steps: 100000000")
    assert "segmentation.network.pretraining.warmup_steps" in str(error_of(params).key)
    edit(path, SEGMENTATION, "warmup_steps: 100000000", "epochs: 12")
    edit(path, SEGMENTATION, "name: clean", "name: mine\n    selection: best\n    select_every_epochs: 80000000")
    edit(path, SEGMENTATION, "norm_statistics: reestimated", "samples: 4")
    assert "segmentation.protocol.select_every_epochs" in str(error_of(params).key)
    edit(path, SEGMENTATION, "select_every_epochs: 80000000", "select_every_epochs: 7")
    load_plan(params, "demo")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("train_scenes: 200, val_scenes: 60", "train_scenes: 8, val_scenes: 4"),  # one step, batches of 20 for 4 scenes
        ("size_px: 64", "size_px: 32"),
        ("epochs: 7", "epochs: 1"),
        ("name: clean", "name: mine\n    selection: best\n    select_every_epochs: 1000"),
    ],
)
def test_a_short_trial_needs_no_other_settings(params: Path, old: str, new: str) -> None:
    path = params / "presets" / "demo.yaml"
    edit(path, SEGMENTATION, old, new)
    if "selection" in new:
        edit(path, SEGMENTATION, "norm_statistics: reestimated", "samples: 4")
    load_plan(params, "demo")


def test_a_trial_of_the_paper_on_small_images_needs_fewer_levels_only(params: Path) -> None:
    path = params / "presets" / "paper.yaml"
    text = path.read_text()
    place = text.index("\ntranslation:\n")
    small = re.sub(r"size_px: \d+", "size_px: 64", text[place:], count=1).replace("levels: 8", "levels: 6", 1)
    path.write_text(text[:place] + small)
    assert not [*excesses(load_preset(params, "paper").translation)]


def test_the_presets_here_keep_the_limits() -> None:
    for name in preset_names(PARAMS):
        preset = load_preset(PARAMS, name)
        assert not [*excesses(preset.segmentation), *excesses(preset.translation)]
