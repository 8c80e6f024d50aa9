"""`pretrained: embedded`: one RGB network, trained on scenes of no other split, from which other cells start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from checkout import Checkout
from published import edit_sealed, make_root, publish
from pydantic import ValidationError
from safetensors.torch import save_file

from cenbench.data.adapters import prepare
from cenbench.doctor.inputs import check_pretraining
from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.cost import plan_cost
from cenbench.matrix.plan import Plan, load_plan
from cenbench.nn.segmenter import Segmenter, build_segmenter
from cenbench.paths import Paths
from cenbench.pretrained.add import find_asset
from cenbench.pretrained.list import list_pretrained
from cenbench.records.failure import write_failure
from cenbench.records.read import read_record
from cenbench.run.cell import run_cell
from cenbench.schedule.prune import wanted_by
from cenbench.train.encoder_start import start_from_pretraining
from cenbench.train.trained import WEIGHTS


def start_embedded(params: Path) -> None:
    """Edit the tiny preset of `checkout`."""
    path = params / "presets" / "demo.yaml"
    text = path.read_text().replace(
        "pretrained: false", "pretrained: embedded, pretraining: {epochs: 2, batch_size: 4}"
    )
    path.write_text(text.replace("val_scenes: 4,", "val_scenes: 4, pretrain_scenes: 8,"))


@pytest.fixture
def embedded(tmp_path: Path) -> tuple[Plan, Paths]:
    _, paths = make_root(tmp_path, tiny=True)
    start_embedded(paths.params)
    return load_plan(paths.params, "demo"), paths


def changed(cell: Cell, part: str, **values: Any) -> Cell:
    return Cell.model_validate({**cell.model_dump(), part: {**getattr(cell, part).model_dump(), **values}})


def starting(plan: Plan) -> list[Cell]:
    return [cell for cell in plan.cells.values() if cell.pretraining is not None]


def test_cells_that_start_embedded_share_one_cell_which_the_plan_lists_first(embedded: tuple[Plan, Paths]) -> None:
    plan, paths = embedded
    first, second = starting(plan)
    assert first.pretraining == second.pretraining is not None
    shared = first.pretraining
    assert list(plan.cells) == [shared.id, first.id, second.id, plan.cells_of("table8")[0].id]
    assert plan.pretrainings == {shared.id: (first.id, second.id)}
    assert plan.tables_of(shared.id) == ("table7",)
    assert shared not in plan.shown
    assert str(shared.task) == "rgb->semantic"
    assert (shared.protocol.train_split, shared.dataset) == ("pretrain", first.dataset)
    assert shared.pretraining is None
    assert shared.id in wanted_by(paths.params, ["demo"]).cells, "cenbench prune keeps it"
    alone = plan_cost(plan, only=[first.id])
    assert plan_cost(plan, only=[shared.id, first.id]).longest_s > alone.longest_s


def test_an_id_depends_on_the_network_it_starts_from_and_on_no_recipe_without_one(
    embedded: tuple[Plan, Paths],
) -> None:
    cell = starting(embedded[0])[0]
    recipe = {"epochs": 3, "batch_size": 4}
    longer = changed(cell, "network", pretraining=recipe)
    assert longer.pretraining is not None
    assert cell.pretraining is not None
    assert longer.pretraining.training_id != cell.pretraining.training_id
    assert longer.training_id != cell.training_id
    random = changed(cell, "network", pretrained=False)
    assert changed(random, "network", pretraining=recipe).id == random.id != cell.id
    other_seed = Cell.model_validate({**cell.model_dump(), "seed": 7})
    assert other_seed.pretraining == cell.pretraining, "as all seeds start from the same ImageNet weights"
    assert changed(cell, "evaluation", samples=1).pretraining == cell.pretraining


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("dataset", {"pretrain_scenes": 3}, "at least 4 scenes of the split pretrain.*synthrooms has 3"),
        ("network", {"pretraining": {"batch_size": 9}}, "at least 9 scenes of the split pretrain"),
        ("network", {"pretrained": "embeded"}, "Input should be True, False or 'embedded'"),
        ("network", {"pretrained": 1}, "not true, false or embedded"),
        ("network", {"pretraining": {"epoch": 1}}, "not permitted"),
        ("protocol", {"train_split": "tune"}, "'train' or 'pretrain'"),
    ],
)
def test_what_cannot_be_pretrained_is_refused(
    embedded: tuple[Plan, Paths], part: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        changed(starting(embedded[0])[0], part, **values)


def test_a_split_that_the_dataset_lacks_cannot_be_trained_on(embedded: tuple[Plan, Paths]) -> None:
    random = changed(starting(embedded[0])[0], "network", pretrained=False)
    without = changed(random, "dataset", pretrain_scenes=0)
    with pytest.raises(ValidationError, match="batch_size 2 exceeds pretrain_scenes 0"):
        changed(without, "protocol", train_split="pretrain")


@pytest.mark.parametrize("convs", ["shared", "unshared"])
def test_every_modality_starts_with_the_features_of_the_pretrained_network(tmp_path: Path, convs: str) -> None:
    torch.manual_seed(0)
    rgb = _network(1, "shared")
    for name, tensor in rgb.encoder.state_dict().items():
        if "norm" in name or "shortcut.1" in name:
            tensor.uniform_(0.5, 1.5)  # else every norm is the identity, and a mix-up would not show
    save_file({name: tensor.contiguous() for name, tensor in rgb.state_dict().items()}, tmp_path / WEIGHTS)
    both = _network(2, convs)
    start_from_pretraining(both.encoder, tmp_path)
    x_B1CHW = torch.rand(2, 1, 3, 32, 32, dtype=torch.float64)
    expected, _ = rgb.eval().encoder(x_B1CHW)
    found, _ = both.eval().encoder(x_B1CHW.expand(-1, 2, -1, -1, -1).contiguous())
    for features, of_rgb in zip(found, expected, strict=True):
        for modality in range(2):
            # In float64: sums in another order agree to about 1e-13.
            torch.testing.assert_close(features[:, modality], of_rgb[:, 0], rtol=1e-9, atol=1e-9)
    with pytest.raises(UserError, match="another network"):
        start_from_pretraining(_network(2, convs, width=8).encoder, tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-8])
    with pytest.raises(UserError, match="cannot be loaded"):
        start_from_pretraining(both.encoder, tmp_path)


def _network(modalities: int, convs: Any, width: int = 4) -> Segmenter:
    return build_segmenter(
        **{"modalities": modalities, "classes": 3, "depth": 18, "width": width, "decoder_width": 4, "dropout": 0.0},
        convs=convs,
        norms="unshared",
        theta=0.1,
        fusion="none" if modalities > 1 else "uni-modal",
    ).double()


def test_weights_list_and_doctor_show_it(embedded: tuple[Plan, Paths]) -> None:
    plan, paths = embedded
    (pretraining_id,) = plan.pretrainings
    pretraining = plan.cell(pretraining_id)
    listed = list_pretrained(plan, paths)[-1]
    assert (listed.name, listed.file, listed.state) == ("embedded", pretraining_id, "not trained yet")
    assert (len(listed.cells), listed.tables) == (2, ("table7",))
    assert "2 cells start from it" in check_pretraining(plan, paths)[0].found
    publish(paths, pretraining)
    assert list_pretrained(plan, paths)[-1].state == "trained"
    with pytest.raises(UserError, match="trained here"):
        find_asset("embedded")


def test_a_failed_pretraining_is_the_reason_why_cells_have_not_run(embedded: tuple[Plan, Paths]) -> None:
    plan, paths = embedded
    cell = starting(plan)[0]
    assert cell.pretraining is not None
    write_failure(paths, cell.pretraining, "the disk is full")
    record = read_record(paths, cell)
    assert record.state == "missing"
    assert "pretraining that it starts from failed: the disk is full" in str(record.reason)
    assert check_pretraining(plan, paths)[0].outcome == "problem"


def test_a_cell_trains_what_it_starts_from_first_and_is_bound_to_it(checkout: Checkout) -> None:
    start_embedded(checkout.root / "params")
    plan, paths = load_plan(checkout.root / "params", "demo"), Paths(checkout.root)
    cell, other = starting(plan)
    pretraining = cell.pretraining
    assert pretraining is not None
    prepare(cell.dataset, paths.data, 2, False, None)
    run_cell(cell, paths, "cpu")
    assert [read_record(paths, one).state for one in (pretraining, cell)] == ["ok", "ok"]
    record = read_record(paths, cell)
    assert record.provenance["pretraining"] == pretraining.training_id

    target = f"results/cells/{other.id}/metrics.json"
    assert checkout.planned(target) == {"cell": 1}
    paths.record(pretraining).unlink()
    assert checkout.planned(target) == {"cell": 2}, "with the pretraining"

    edit_sealed(paths.record(cell), digests={**record.document["digests"], "pretraining": "0" * 64})
    found = read_record(paths, cell)
    assert (found.state, found.reason) == ("stale", "the code of the pretraining changed since")
