"""A record counts for the cell it was made for, and for no other; what it does not list does not belong to it."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import REPOSITORY
from published import edit_sealed, make_root, publish, put_manifest
from test_report_table import record
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.data import adapters
from cenbench.data.manifest import OtherDataset, manifest_digest
from cenbench.data.verified import open_whole
from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.condition import CLEAN
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import RELATIVE, Paths
from cenbench.records.corollary import read_corollary, write_corollary
from cenbench.records.digests import data_digest
from cenbench.records.read import read_record
from cenbench.records.robustness import read_robustness, write_robustness
from cenbench.report.cell_context import context_of
from cenbench.report.cell_page import render_cell_page
from cenbench.run.cell import run_cell
from cenbench.run.share import ImportResult, export_results, import_results

Place = tuple[Plan, Paths, Cell, Cell]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Two finished cells of one task and fusion method, with different numbers."""
    plan, paths = make_root(tmp_path / "here")
    pairs = (
        (one, other)
        for one in plan.cells.values()
        for other in plan.cells.values()
        if one.id != other.id and (one.task, one.fusion) == (other.task, other.fusion)
    )
    one, other = next(pairs)
    publish(paths, one, 1.0)
    publish(paths, other, 2.0)
    return plan, paths, one, other


def test_both_records_are_whole_to_begin_with(place: Place) -> None:
    _, paths, one, other = place
    for cell, value in ((one, 1.0), (other, 2.0)):
        record = read_record(paths, cell)
        assert (record.state, record.reason) == ("ok", None)
        assert record.metrics["ensemble"]["miou_pct"] == value
        assert record.history == f"step,loss\n1,{value}\n"


@pytest.mark.parametrize("copied", ["all", "metrics.json", "provenance.json", "history.csv", "samples/000.png"])
def test_files_of_another_cell_are_damage(place: Place, copied: str) -> None:
    _, paths, one, other = place
    if copied == "all":
        shutil.copytree(paths.cell(one), paths.cell(other), dirs_exist_ok=True)
    else:
        shutil.copy(paths.cell(one) / copied, paths.cell(other) / copied)
    record = read_record(paths, other)
    assert record.state == "damaged"
    assert not record.metrics
    assert str(paths.cell(other)) in str(record.reason)
    assert read_record(paths, one).state == "ok"


def test_a_record_renamed_to_another_cell_by_hand_is_damage(place: Place) -> None:
    """Ids and seals are right; what the ids are made of is not."""
    _, paths, one, other = place
    shutil.copytree(paths.cell(one), paths.cell(other), dirs_exist_ok=True)
    edit_sealed(paths.record(other), cell_id=other.id, training_id=other.training_id)
    edit_sealed(paths.provenance(other), cell_id=other.id)
    record = read_record(paths, other)
    assert record.state == "damaged"
    assert one.id in str(record.reason)


@pytest.mark.parametrize(
    ("stream", "numbers"),
    [("ensemble", {"miou_pct": 100.1}), ("ensemble", {"miou_pct": -5.0}), ("ensemble", {"miou_pct": 1e29}),
     ("ensemble", {"fid": -5.0}), ("ensemble", {"ssim": 2.0}), ("ensemble", {"mae_x10": -1.0}), ("ensemble", {}),
     ("ensemble", {"psnr_db": 101.0}), ("x-ray", {"miou_pct": 50.0})],
)  # fmt: skip
def test_numbers_that_no_evaluation_gives_are_damage(place: Place, stream: str, numbers: dict[str, float]) -> None:
    """Whoever writes a record anew can seal it, too."""
    _, paths, one, _ = place
    whole = read_record(paths, one).metrics
    edit_sealed(paths.record(one), metrics={**whole, stream: numbers})
    record = read_record(paths, one)
    assert record.state == "damaged"
    assert f"metrics.{stream}" in str(record.reason)
    assert not record.metrics


@pytest.mark.parametrize(
    "numbers", [{"miou_pct": 100.0, "fid": -1e-9}, {"miou_pct": 0.0, "kid_x100": -0.4}, {"of_a_removed_plug_in": 1e6}]
)
def test_numbers_at_the_limit_are_read(place: Place, numbers: dict[str, float]) -> None:
    _, paths, one, _ = place
    edit_sealed(paths.record(one), metrics={**read_record(paths, one).metrics, "ensemble": numbers})
    assert read_record(paths, one).metrics["ensemble"] == numbers


def test_a_setting_that_an_older_version_did_not_know_does_not_matter(place: Place) -> None:
    _, paths, one, _ = place
    cell = json.loads(paths.record(one).read_text())["cell"]
    assert cell.pop("fusion_parameters") == {}
    edit_sealed(paths.record(one), cell=cell)
    assert read_record(paths, one).state == "ok"
    edit_sealed(paths.record(one), cell=cell | {"a setting of another version": 1})
    record = read_record(paths, one)
    assert (record.state, dict(record.metrics)) == ("stale", {})


@pytest.mark.parametrize("name", ["../finished.json", "/etc/passwd", "samples/../../x", "samples/a/b.png", "notes.txt"])
def test_no_other_file_can_be_listed(place: Place, name: str) -> None:
    _, paths, one, _ = place
    files = json.loads(paths.record(one).read_text())["files"]
    edit_sealed(paths.record(one), files=files | {name: "0" * 64})
    record = read_record(paths, one)
    assert record.state == "damaged"
    assert name in str(record.reason)


def test_files_that_a_record_does_not_list_are_not_shown(place: Place) -> None:
    plan, paths, one, _ = place
    (paths.cell(one) / "samples" / "001.png").write_bytes(b"of nobody")
    page = render_cell_page("demo", read_record(paths, one), context_of(plan, one))
    assert 'alt="scene 0, from left' in page
    assert 'alt="scene 1' not in page


def members_of(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as packed:
        return {info.name: packed.extractfile(info).read() for info in packed}


def sent(place: Place, tmp_path: Path, change: Callable[[dict[str, bytes]], None]) -> tuple[Paths, ImportResult]:
    """Export the cells, change the archive, import it elsewhere."""
    plan, paths, _, _ = place
    export_results(plan, paths, tmp_path / "all.tar")
    members = members_of(tmp_path / "all.tar")
    change(members)
    with tarfile.open(tmp_path / "changed.tar", "w") as packed:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    plan_there, there = make_root(tmp_path / "there")
    return there, import_results(plan_there, there, tmp_path / "changed.tar")


def test_an_unchanged_archive_is_imported_with_what_the_records_list(place: Place, tmp_path: Path) -> None:
    _, paths, one, other = place
    (paths.cell(one) / "extra.txt").write_text("not exported")
    there, found = sent(place, tmp_path, lambda members: None)
    assert set(found.imported) == {one.id, other.id}
    for cell in (one, other):
        assert read_record(there, cell).state == "ok"
        assert not (there.cell(cell) / "extra.txt").exists()
    assert not any("extra" in name for name in members_of(tmp_path / "all.tar"))


def test_what_was_measured_after_training_comes_with_the_cell(place: Place, tmp_path: Path) -> None:
    """Scores with corrupted inputs, and corollary 1; also for a cell that is finished there already."""
    plan, paths, one, other = place
    weights = {cell.id: read_record(paths, cell).weights_sha256 for cell in (one, other)}
    differences = {"output_difference": 1e-15, "loss_difference": 0.0, "unadjusted_difference": 0.1}
    write_robustness(one, paths, weights[one.id], [CLEAN], {"clean": {"ensemble": {"miou_pct": 1.0}}})
    write_corollary(one, paths, weights[one.id], differences)
    write_corollary(other, paths, "0" * 64, differences)  # of other weights: not of this cell
    there, found = sent(place, tmp_path, lambda members: None)
    assert set(found.measured) == {RELATIVE.robustness(one), RELATIVE.corollary(one)}
    assert read_robustness(there, read_record(there, one), [CLEAN]).state == "ok"
    assert read_corollary(there, read_record(there, one)).equal
    assert not there.corollary(other).exists()
    there.robustness(one).unlink()
    there.corollary(one).write_text("kept?")
    again = import_results(plan, there, tmp_path / "all.tar")
    assert (again.imported, len(again.kept)) == ((), 2)
    assert set(again.measured) == {RELATIVE.robustness(one), RELATIVE.corollary(one)}
    assert import_results(plan, there, tmp_path / "all.tar").measured == ()


def test_files_that_a_record_does_not_list_are_not_imported(place: Place, tmp_path: Path) -> None:
    _, _, one, _ = place
    extra = [f"results/cells/{one.id}/samples/001.png", f"results/state/{one.training_id}/state.pt"]
    there, found = sent(place, tmp_path, lambda members: members.update(dict.fromkeys(extra, b"extra")))
    assert one.id in found.imported
    assert not any((there.root / name).exists() for name in extra)


def test_the_record_of_one_cell_under_the_name_of_another_is_rejected(place: Place, tmp_path: Path) -> None:
    _, _, one, other = place

    def rename(members: dict[str, bytes]) -> None:
        for name in list(members):
            members[name.replace(one.id, other.id).replace(one.training_id, other.training_id)] = members[name]

    there, found = sent(place, tmp_path, rename)
    assert found.imported == (one.id,)
    assert "of another cell" in found.rejected[other.id]
    assert f"results/cells/{other.id}/" in found.rejected[other.id]
    assert ".import-" not in found.rejected[other.id], "a folder that is gone when the reason is read"
    assert read_record(there, other).state == "missing"


@pytest.mark.parametrize("kind", ["weights", "the training of another cell", "no training", "a note with a list"])
def test_a_training_that_is_not_the_measured_one_is_rejected(place: Place, tmp_path: Path, kind: str) -> None:
    _, _, one, other = place
    state = f"results/state/{one.training_id}"

    def change(members: dict[str, bytes]) -> None:
        if kind == "weights":
            data = bytearray(members[f"{state}/weights.safetensors"])
            data[-1] ^= 1
            members[f"{state}/weights.safetensors"] = bytes(data)
        elif kind == "no training":
            del members[f"{state}/finished.json"]
        elif kind == "a note with a list":
            members[f"{state}/finished.json"] = b"[]"
        else:
            for name in ("weights.safetensors", "history.csv", "finished.json"):
                members[f"{state}/{name}"] = members[f"results/state/{other.training_id}/{name}"]

    there, found = sent(place, tmp_path, change)
    assert found.imported == (other.id,)
    words = {"weights": "is damaged (sha256", "the training of another cell": "of another cell"}
    assert words.get(kind, "missing or damaged") in found.rejected[one.id]
    assert not there.state(one).exists()


def test_damaged_cells_are_not_exported_and_the_reason_is_given(place: Place, tmp_path: Path) -> None:
    plan, paths, one, other = place
    weights = paths.state(one) / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    found = export_results(plan, paths, tmp_path / "all.tar")
    assert found.exported == (other.id,)
    assert str(weights) in found.left_out[one.id]
    paths.record(one).write_text("[]")
    assert "damaged" in export_results(plan, paths, tmp_path / "all.tar").left_out[one.id]


def test_an_export_of_nothing_gives_the_first_reasons_and_counts_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = load_plan(REPOSITORY / "params", "study")
    monkeypatch.setattr("cenbench.run.share.read_record", lambda _, cell: record(cell, 40.0))
    with pytest.raises(UserError, match="no cell of preset 'study' is finished here") as caught:
        export_results(plan, Paths(tmp_path), tmp_path / "all.tar")
    found = str(caught.value.found)
    assert found.count("its training is missing or damaged") == 3
    trainings = {Paths(tmp_path).state(cell) for cell in plan.cells.values()}
    assert found.endswith(f"; and {len(trainings) - 3} more")


@pytest.mark.parametrize("field", ["seed", "size_px"])
def test_a_dataset_in_the_folder_of_another_is_refused_and_stays(tmp_path: Path, field: str) -> None:
    """Folders are copied and renamed: only the manifest tells which dataset one holds."""
    plan, paths = make_root(tmp_path, tiny=True)
    cell = plan.cells_of("table7")[0]
    publish(paths, cell)
    other = cell.dataset.model_copy(update={field: getattr(cell.dataset, field) + 1})
    folder = paths.data / dataset_key(cell.dataset)
    shutil.rmtree(folder)
    shutil.copytree(put_manifest(paths, other).parent, folder)
    data_digest.cache_clear()

    found = read_record(paths, cell)
    assert (found.state, f"describes another dataset, {dataset_key(other)}" in str(found.reason)) == ("stale", True)
    verify = ["data", "verify", folder.name, "--root", str(tmp_path)]
    for use in (
        lambda: manifest_digest(folder),
        lambda: open_whole(folder, paths.verified),
        lambda: adapters.prepare(cell.dataset, paths.data, 1, False),
        lambda: run_cell(cell, paths, "cpu"),
        lambda: CliRunner().invoke(app, verify, catch_exceptions=False),
    ):
        with pytest.raises(OtherDataset) as caught:
            use()
        assert (caught.value.found, caught.value.expected) == (dataset_key(other), folder.name)
    assert (folder / "manifest.json").exists(), "it is the whole manifest of a dataset that is only misnamed"


def test_a_record_is_read_without_its_dataset(tmp_path: Path) -> None:
    plan, paths = make_root(tmp_path, tiny=True)
    cell = plan.cells_of("table7")[0]
    publish(paths, cell)
    shutil.rmtree(paths.data)
    data_digest.cache_clear()
    assert read_record(paths, cell).state == "ok"
