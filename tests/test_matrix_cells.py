"""A cell's ids depend on exactly what can change its numbers; impossible cells cannot be made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from cenbench.matrix.cell import Cell, Task
from cenbench.matrix.specs import RENDERED, DatasetSpec, dataset_key
from cenbench.matrix.steps import steps_per_epoch, total_steps
from cenbench.train.segmentation import build

SEGMENTATION: dict[str, Any] = {
    "task": {"inputs": ["rgb", "depth"], "target": "semantic"},
    "dataset": {"name": "synthrooms", "version": 1, "size_px": 64, "train_scenes": 160, "val_scenes": 40, "seed": 1},
    "network": {"head": "refinenet", "depth": 18, "width": 16, "decoder_width": 32, "pretrained": False},
    "fusion": "exchange",
    "convs": "shared",
    "norms": "unshared",
    "l1": "half",
    "protocol": {
        "name": "clean",
        "phases": [{"epochs": 2, "lr_encoder": 0.01, "lr_decoder": 0.02}],
        "batch_size": 8,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "lambda_l1": 0.001,
        "theta": 0.02,
        "crop_px": 64,
    },
    "evaluation": {"batch_size": 10},
    "seed": 1,
}
TRANSLATION: dict[str, Any] = {
    **SEGMENTATION,
    "task": {"inputs": ["shade", "texture", "depth"], "target": "rgb"},
    "network": {"head": "unet", "levels": 6},
    "protocol": {
        "name": "clean",
        "epochs": 3,
        "batch_size": 4,
        "lr": 0.0002,
        "beta1": 0.5,
        "beta2": 0.999,
        "lambda_l1": 0.001,
        "theta": 0.01,
        "resize_px": 72,
        "crop_px": 64,
    },
    "evaluation": {
        "batch_size": 10,
        "extractor": "seeded-conv",
        "kid_subsets": 20,
        "kid_subset_size": 20,
        "kid_seed": 0,
    },
}
# Pinned: changing these makes every published cell of every user a new one that must be trained again. If a change of
# meaning requires that, raise _ID_VERSION in cell.py and explain it in the commit; never adapt this test alone.
GOLDEN_SEGMENTATION = (
    "rgb+depth-to-semantic.exchange.shared-convs.unshared-norms.l1-half.64px.s1.fc6f5882af",
    "rgb+depth-to-semantic.exchange.shared-convs.unshared-norms.l1-half.64px.s1.904aeb63de",
)
GOLDEN_TRANSLATION = (
    "shade+texture+depth-to-rgb.exchange.shared-convs.unshared-norms.l1-half.64px.s1.dc1deb5272",
    "shade+texture+depth-to-rgb.exchange.shared-convs.unshared-norms.l1-half.64px.s1.8cd8c069a3",
)


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A deep copy with one dotted key set."""
    copy = json.loads(json.dumps(document))
    *above, last = path.split(".")
    place = copy
    for part in above:
        place = place[part]
    place[last] = value
    return copy


def cell(document: dict[str, Any], path: str | None = None, value: object = None) -> Cell:
    return Cell.model_validate(document if path is None else changed(document, path, value))


def test_ids_are_the_pinned_ones() -> None:
    assert (cell(SEGMENTATION).id, cell(SEGMENTATION).training_id) == GOLDEN_SEGMENTATION
    assert (cell(TRANSLATION).id, cell(TRANSLATION).training_id) == GOLDEN_TRANSLATION


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_ids_are_the_same_in_every_process(hash_seed: str) -> None:
    code = "import json, sys; from cenbench.matrix.cell import Cell; print(Cell(**json.load(sys.stdin)).id)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, input=json.dumps(TRANSLATION), capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == GOLDEN_TRANSLATION[0]


def test_order_of_keys_changes_no_id() -> None:
    def reversed_keys(value: Any) -> Any:
        return {key: reversed_keys(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    assert cell(reversed_keys(SEGMENTATION)).id == cell(SEGMENTATION).id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("stage", "all"),
        ("dataset.version", 1),
        ("dataset.buildings", 1),
        ("dataset.tune_scenes", 0),
        ("protocol.optimizer", "sgd"),
        ("protocol.schedule", "constant"),
        ("protocol.warmup_steps", 0),
        ("dataset.width_px", 64),
        ("network.dropout", 0.5),
        ("protocol.mirror", True),
        ("protocol.precision", "float32"),
        ("evaluation.samples", 4),
        ("protocol.weight_decay", 0),
    ],
)
def test_spelling_out_a_default_changes_no_id(path: str, value: object) -> None:
    assert cell(SEGMENTATION, path, value).id == cell(SEGMENTATION).id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 2),
        ("l1", "all"),
        ("norms", "affine-unshared"),
        ("fusion", "none"),
        ("task.inputs", ["depth", "rgb"]),
        ("dataset.seed", 2),
        ("dataset.version", 2),
        ("dataset.buildings", 2),
        ("dataset.pretrain_scenes", 1),
        ("dataset.width_px", 96),
        ("dataset.train_scenes", 161),
        ("network.width", 17),
        ("protocol.name", "mine"),
        ("protocol.theta", 0.021),
        ("protocol.precision", "bfloat16"),
        ("protocol.optimizer", "adamw"),
        ("protocol.schedule", "cosine"),
        ("protocol.warmup_steps", 1),
        ("protocol.gamma_init", "independent"),
        ("protocol.phases", [{"epochs": 3, "lr_encoder": 0.01, "lr_decoder": 0.02}]),
    ],
)
def test_what_changes_training_changes_both_ids(path: str, value: object) -> None:
    before, after = cell(SEGMENTATION), cell(SEGMENTATION, path, value)
    assert before.id != after.id
    assert before.training_id != after.training_id


@pytest.mark.parametrize(("key", "value"), [("lambda_l1", 0.5), ("lambda_per_head", True)])
def test_the_strength_of_a_penalty_changes_the_ids_of_cells_that_have_one(key: str, value: object) -> None:
    mine = changed(SEGMENTATION, "protocol.name", "mine")  # which may choose quirks one by one
    for l1, same in (("half", False), ("all", False), ("none", True)):
        before, after = cell(mine, "l1", l1), cell(changed(mine, f"protocol.{key}", value), "l1", l1)
        assert (before.id == after.id, before.training_id == after.training_id) == (same, same)
        assert (f"protocol.{key}" in before.settings) is not same


@pytest.mark.parametrize(("path", "value"), [("evaluation.kid_subsets", 21), ("evaluation.samples", 5)])
def test_what_changes_only_the_evaluation_keeps_the_training_id(path: str, value: object) -> None:
    before, after = cell(TRANSLATION), cell(TRANSLATION, path, value)
    assert before.id != after.id
    assert before.training_id == after.training_id


@pytest.mark.parametrize(
    ("document", "path", "value", "message"),
    [
        (SEGMENTATION, "task.inputs", ["rgb"], "exchange needs at least two modalities"),
        (SEGMENTATION, "norms", "shared", "exchange needs private scaling factors per modality"),
        (SEGMENTATION, "norms", "stats-unshared", "exchange needs private scaling factors per modality"),
        (changed(SEGMENTATION, "fusion", "none"), "norms", "shared", "l1: half penalises a disjoint part"),
        (changed(SEGMENTATION, "norms", "affine-unshared"), "convs", "unshared", "norms must be unshared"),
        (SEGMENTATION, "task.target", "rgb", "is also an input"),
        (SEGMENTATION, "task.target", "normal", "does not fit"),
        (SEGMENTATION, "protocol.batch_size", 161, "an epoch would have no steps"),
        (SEGMENTATION, "evaluation.samples", 41, "exceeds val_scenes 40"),
        (SEGMENTATION, "protocol.scale_min", 3.0, "exceeds scale_max"),
        (TRANSLATION, "evaluation.kid_subset_size", 41, "exceeds val_scenes 40"),
        (TRANSLATION, "network.levels", 7, "not a multiple of 2\\*\\*levels = 128"),
        (TRANSLATION, "dataset.width_px", 100, "width_px 100 is not a multiple"),
        (TRANSLATION, "protocol.crop_px", 73, "exceeds resize_px"),
        (changed(TRANSLATION, "network.encoder_norms", "all"), "network.levels", 6, "one pixel at .* 64 and levels 6"),
        (TRANSLATION, "protocol.lr", float("nan"), "finite|greater than 0"),
        (TRANSLATION, "seed", -1, "greater than or equal to 0"),
        (TRANSLATION, "dataset.name", "../../x", "match pattern"),
        (TRANSLATION, "protocol.lrr", 1.0, "not permitted"),
    ],
)
def test_impossible_cells_cannot_be_made(document: dict[str, Any], path: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Cell.model_validate(changed(document, path, value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rgb+depth", "a task is written"),
        ("rgb+rgb->semantic", "duplicate modality"),
        ("rgb+dpth->semantic", "unknown modality 'dpth'"),
        ("rgb->labels", "unknown target 'labels'"),
        ("rgb+depth->rgb", "also an input"),
        ("rgb->../x", "a task is written"),
        ("rgb+->semantic", "unknown modality ''"),
    ],
)
def test_an_invalid_task_is_reported_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Task.parse(text)
    assert type(caught.value) is ValueError  # not pydantic's own error, whose text is not for users


def test_a_task_parses_to_what_is_written() -> None:
    task = Task.parse(" shade + texture->rgb")
    assert str(task) == "shade+texture->rgb"
    assert task.streams == ("shade", "texture", "ensemble")
    assert (task.kind, Task.parse("rgb->semantic").kind) == ("translation", "segmentation")


def test_steps_are_those_of_the_released_code_at_the_papers_size() -> None:
    """paper.md#segmentation: 795 images in batches of 6, the rest dropped: 132 per epoch, 39,600 in 3 x 100 epochs."""
    phase = {"epochs": 100, "lr_encoder": 0.01, "lr_decoder": 0.01}
    paper = changed(changed(SEGMENTATION, "protocol.phases", [phase] * 3), "protocol.batch_size", 6)
    paper = changed(paper, "dataset.train_scenes", 795)
    assert (steps_per_epoch(cell(paper)), total_steps(cell(paper))) == (132, 39_600)
    assert total_steps(cell(TRANSLATION)) == 3 * 40
    assert total_steps(cell(TRANSLATION, "dataset.train_scenes", 163)) == 3 * 40


def with_protocol(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**base, "protocol": {**base["protocol"], **changes}}


@pytest.mark.parametrize(
    ("setting", "value", "concerns"),
    [
        ("auxiliary_weight", 0.1, {"network": {**SEGMENTATION["network"], "head": "pspnet"}}),
        ("exchange_own_part_only", True, {"fusion": "exchange"}),
    ],
)
def test_a_setting_is_in_the_id_of_only_the_cells_that_use_it(
    setting: str, value: Any, concerns: dict[str, Any]
) -> None:
    plain = {**SEGMENTATION, "fusion": "none", "l1": "none"}
    for base, changed in ((plain, False), ({**plain, **concerns}, True)):
        before = Cell.model_validate(base)
        after = Cell.model_validate(with_protocol(base, **{setting: value}))
        assert (before.id != after.id) == changed
        assert (before.training_id != after.training_id) == changed


def test_what_selects_the_weights_is_in_the_training_id_and_nothing_else_of_the_evaluation() -> None:
    best = with_protocol(TRANSLATION, name="mine", selection="best")
    before = Cell.model_validate(best)
    for change, trains in (({"kid_subsets": 3}, False), ({"samples": 1}, False), ({"stretch_images": True}, True)):
        after = Cell.model_validate({**best, "evaluation": {**best["evaluation"], **change}})
        assert after.id != before.id
        assert (after.training_id != before.training_id) == trains


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_protocol(SEGMENTATION, batch_size=1), "batch_size must be at least 2"),
        ({"fusion": "concat", "l1": "none", "merged": True}, "reads only the last two stages"),
    ],
)
def test_what_pspnet_cannot_do_is_reported_before_anything_runs(change: dict[str, Any], words: str) -> None:
    network = {**SEGMENTATION["network"], "head": "pspnet"}
    with pytest.raises(ValidationError, match=words):
        Cell.model_validate({**SEGMENTATION, **change, "network": network})


@pytest.mark.parametrize("fusion", ["none", "average"])
@pytest.mark.parametrize(("merged", "stage"), [(False, "all"), (True, "early"), (True, "middle"), (True, "late")])
@pytest.mark.parametrize("norms", ["shared", "unshared", "affine-unshared", "stats-unshared"])
@pytest.mark.parametrize("frozen", [False, True])
def test_one_value_per_channel_is_refused_exactly_where_the_network_cannot_be_trained(
    fusion: str, merged: bool, stage: str, norms: str, frozen: bool
) -> None:
    """RefineNet's deepest map has one pixel up to 32 px; its batch norms need several values per channel."""
    if fusion == "none" and stage != "all":
        return
    terms = {"fusion": fusion, "merged": merged, "stage": stage, "norms": norms, "l1": "none"}
    document = with_protocol({**SEGMENTATION, **terms}, name="mine", freeze_norm_statistics=frozen)
    torch.manual_seed(1)
    network = build(Cell.model_validate(document), classes=3).train()
    for batch_size, side in ((1, 32), (1, 33), (2, 32)):
        images_BMCHW = torch.randn(batch_size, 2, 3, side, side)
        changed = with_protocol(document, batch_size=batch_size, crop_px=side)
        try:
            network(images_BMCHW)
        except ValueError as error:
            assert "more than 1 value per channel" in str(error)
            assert (batch_size, side) == (1, 32)
            with pytest.raises(ValidationError, match="batch_size 1 at 32 px leaves one value per channel"):
                Cell.model_validate(changed)
        else:
            Cell.model_validate(changed)


def test_small_images_leave_one_value_per_channel_too_and_so_does_a_pretraining() -> None:
    """Statistics are re-estimated on whole images, whatever the crop."""
    small = changed(with_protocol(SEGMENTATION, batch_size=1), "dataset.size_px", 32)
    with pytest.raises(ValidationError, match="batch_size 1 at 32 px"):
        Cell.model_validate(small)
    Cell.model_validate(changed(small, "dataset.width_px", 33))
    embedded = changed(SEGMENTATION, "dataset.pretrain_scenes", 8)
    embedded["network"] |= {"pretrained": "embedded", "pretraining": {"batch_size": 1}}
    assert Cell.model_validate(embedded).pretraining is not None
    with pytest.raises(ValidationError, match=r"pretraining\.batch_size 1 at 32 px"):
        Cell.model_validate(with_protocol(embedded, crop_px=32))


def test_a_rendered_dataset_has_its_renderers_version_and_only_it_has_buildings() -> None:
    """Data of an older renderer must not be taken for the present one's: the version is part of the key."""
    settings = {"size_px": 64, "train_scenes": 4, "val_scenes": 2, "seed": 1}
    rooms = DatasetSpec.model_validate({"name": "synthrooms", **settings})
    assert rooms.version == RENDERED["synthrooms"] > 1
    assert dataset_key(rooms) != dataset_key(rooms.model_copy(update={"version": 1}))
    assert DatasetSpec.model_validate({"name": "nyudv2", **settings}).version == 1
    for key in ("buildings", "tune_scenes", "pretrain_scenes"):
        assert getattr(DatasetSpec.model_validate({"name": "synthrooms", **settings, key: 3}), key) == 3
        with pytest.raises(ValidationError, match=f"{key} is for datasets that are rendered here: synthrooms"):
            DatasetSpec.model_validate({"name": "nyudv2", **settings, key: 3})
