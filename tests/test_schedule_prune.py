"""`cenbench prune` finds what no preset asks for, and removes nothing else and nothing that is in use."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from published import put_manifest
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.data.manifest import read_manifest
from cenbench.errors import UserError
from cenbench.file_lock import file_lock
from cenbench.matrix.plan import load_plan
from cenbench.matrix.specs import DatasetSpec, dataset_key
from cenbench.paths import Paths
from cenbench.run.heartbeat import Heartbeat
from cenbench.schedule.prune import Leftover, Wanted, find_leftovers, remove, wanted_by

PARAMS = Path(__file__).parents[1] / "params"
OLD = "rgb-to-semantic.none.shared-convs.shared-norms.l1-none.64px.s1.0123456789"
OLD_TRAINING = "rgb-to-semantic.none.shared-convs.shared-norms.l1-none.64px.s1.9876543210"
OTHER = "rgb-to-semantic.none.shared-convs.shared-norms.l1-none.64px.s2.0123456789"
KEPT = "rgb-to-semantic.concat.shared-convs.shared-norms.l1-none.64px.s1.0123456789"
SPECS = {
    dataset_key(spec): spec
    for spec in (
        DatasetSpec(name="synthrooms", size_px=64, train_scenes=3, val_scenes=2, seed=1),
        DatasetSpec(name="nyudv2", size_px=468, width_px=625, train_scenes=3, val_scenes=2, seed=0),
    )
}
OLD_DATA, KEPT_DATA = SPECS
WANTED = Wanted(frozenset([KEPT]), frozenset([KEPT]), frozenset([KEPT_DATA]))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


def write(path: Path, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def write_features(paths: Paths, name: str, dataset: str) -> Path:
    header = json.dumps({"__metadata__": {"dataset": dataset}}).encode()
    path = write(paths.features / f"{name}.safetensors")
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def fill(paths: Paths, cell: str, training: str, dataset: str) -> list[Path]:
    """One file of each kind that a run makes; the files and folders that are listed."""
    write(paths.results / "cells" / cell / "metrics.json", 100)
    write(paths.results / "cells" / cell / "samples" / "0.png", 23)
    write(paths.results / "state" / training / "weights.safetensors", 1000)
    write(paths.data / dataset / "rgb.npy", 5000)
    write(paths.data / f"{dataset}.partial" / "shard-0.npz", 50)
    write(paths.data / f"{dataset}.lock", 0)
    digest = read_manifest(put_manifest(paths, SPECS[dataset]).parent).digest
    return [
        paths.results / "cells" / cell,
        paths.results / "state" / training,
        write(paths.results / "logs" / f"{cell}.log"),
        write(paths.results / "logs" / f"dataset.{dataset}.log"),
        write(paths.reports / "demo" / "cells" / f"{cell}.html"),
        paths.data / dataset,
        paths.data / f"{dataset}.partial",
        write_features(paths, digest[:16], digest),
    ]


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_what_no_preset_asks_for_is_found_with_its_size(paths: Paths) -> None:
    fill(paths, KEPT, KEPT, KEPT_DATA)
    expected = fill(paths, OLD, OLD_TRAINING, OLD_DATA)
    found = find_leftovers(paths, WANTED)
    assert [leftover.path for leftover in found] == expected
    assert [leftover.kind for leftover in found] == [
        "cell", "state", "log", "log", "page", "dataset", "dataset", "features"
    ]  # fmt: skip
    assert found[0].bytes == 123
    assert found[1].bytes == 1000
    assert not any(leftover.kept for leftover in found)


def test_removing_leaves_exactly_what_is_asked_for_and_what_prune_does_not_know(paths: Paths) -> None:
    fill(paths, KEPT, KEPT, KEPT_DATA)
    for path in ("results/demo.tar", "results/cells/notes.txt", "results/state/mine/x", "reports/demo/cells/index.html",
                 "data/raw/nyudv2/nyu.mat", "weights/inception.pt", "results/logs/demo.table7.log", "data/prepared/x/y",
                 "results/verified/a.json", "results/features/notes.txt"):  # fmt: skip
        write(paths.root / path)
    before = tree(paths.root)
    fill(paths, OLD, OLD_TRAINING, OLD_DATA)
    removed = remove(paths, find_leftovers(paths, WANTED))
    assert len(removed) == 8
    assert not any(leftover.kept for leftover in removed)
    assert tree(paths.root) - before == {f"data/prepared/{OLD_DATA}.lock"}, "a process may wait with a lock file open"
    assert before <= tree(paths.root)
    assert find_leftovers(paths, WANTED) == []


def test_listing_changes_nothing(paths: Paths) -> None:
    fill(paths, OLD, OLD_TRAINING, OLD_DATA)
    before = {path: path.stat().st_mtime_ns for path in paths.root.rglob("*")}
    assert find_leftovers(paths, WANTED)
    assert {path: path.stat().st_mtime_ns for path in paths.root.rglob("*")} == before


@pytest.mark.parametrize("sign", ["lock", "heartbeat"])
@pytest.mark.parametrize("when", ["before listing", "after listing"])
def test_a_cell_that_a_process_is_at_work_on_is_kept_whole(paths: Paths, sign: str, when: str) -> None:
    fill(paths, OLD, OLD_TRAINING, OLD_DATA)
    write(paths.results / "cells" / OTHER / "metrics.json")
    state = paths.results / "state" / OLD_TRAINING
    listed = find_leftovers(paths, WANTED) if when == "after listing" else None
    with file_lock(state / "lock") if sign == "lock" else Heartbeat(state, OLD):
        result = remove(paths, listed if listed is not None else find_leftovers(paths, WANTED))
    kept = [leftover.kind for leftover in result if leftover.kept]
    assert kept == ["cell", "state", "log", "page"]
    assert all("process" in str(leftover.kept) for leftover in result if leftover.kept)
    assert (state / "weights.safetensors").exists()
    assert (paths.results / "cells" / OLD / "metrics.json").exists()
    assert not (paths.results / "cells" / OTHER).exists()


def test_a_dataset_that_is_being_prepared_and_features_being_computed_are_kept(paths: Paths) -> None:
    fill(paths, OLD, OLD_TRAINING, OLD_DATA)
    [features] = paths.features.glob("*.safetensors")
    with file_lock(paths.data / f"{OLD_DATA}.lock"), file_lock(features.with_suffix(".lock")):
        result = remove(paths, find_leftovers(paths, WANTED))
    assert [leftover.kind for leftover in result if leftover.kept] == ["dataset", "dataset", "features"]
    assert (paths.data / OLD_DATA / "rgb.npy").exists()


def test_nothing_is_removed_while_snakemake_runs(paths: Paths) -> None:
    fill(paths, OLD, OLD_TRAINING, OLD_DATA)
    before = tree(paths.root)
    found, controller = find_leftovers(paths, WANTED), paths.root / ".snakemake" / "controller"
    with file_lock(controller), pytest.raises(UserError, match="Snakemake is running here"):
        remove(paths, found)
    assert before <= tree(paths.root)


def test_links_are_not_followed(paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    precious = write(elsewhere / "precious.pt", 5000)
    cells = paths.results / "cells"
    write(cells / OLD / "metrics.json", 7)
    (cells / OLD / "linked").symlink_to(elsewhere)
    (cells / OTHER).symlink_to(elsewhere)
    result = remove(paths, find_leftovers(paths, WANTED))
    assert [(leftover.path.name, leftover.bytes, leftover.kept is None) for leftover in result] == [
        (OLD, 7, True),
        (OTHER, 0, False),
    ]
    assert precious.exists()
    assert (cells / OTHER).is_symlink()
    assert not (cells / OLD).exists()


def test_results_on_another_disk_behind_a_link_are_pruned(
    paths: Paths, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    paths.results.symlink_to(scratch)
    write(scratch / "cells" / OLD / "metrics.json")
    [result] = remove(paths, find_leftovers(paths, WANTED))
    assert result.kept is None
    assert tree(scratch) == {"cells"}


def test_what_an_interrupted_removal_left_is_found_and_removed(paths: Paths) -> None:
    write(paths.results / "state" / f".pruned.{OLD_TRAINING}" / "weights.safetensors", 77)
    [found] = find_leftovers(paths, WANTED)
    assert (found.kind, found.bytes) == ("unfinished removal", 77)
    remove(paths, [found])
    assert tree(paths.results) == {"state"}


def test_what_cannot_be_read_or_removed_is_reported(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(paths.results / "cells" / OLD / "metrics.json")

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "rename", refuse)
    [result] = remove(paths, find_leftovers(paths, WANTED))
    assert (result.kept, result.failed) == ("cannot be removed: Permission denied", True)
    scandir = os.scandir

    def closed(path: Path | str) -> object:
        if str(path).endswith(("results/logs", OLD)):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    found = find_leftovers(paths, WANTED)
    assert {(leftover.path.name, leftover.kept) for leftover in found} == {
        (OLD, "cannot be read: Permission denied"),
        ("logs", "cannot be read: Permission denied"),
    }
    assert all(leftover.failed for leftover in found)


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02" + b"\x00" * 7 + b"[]", b"\x00" * 8])
def test_features_whose_header_is_damaged_are_found(paths: Paths, content: bytes) -> None:
    path = paths.features / f"{'0' * 16}.safetensors"
    write(path).write_bytes(content)
    assert find_leftovers(paths, WANTED) == [Leftover("features", path, len(content))]


def test_what_the_presets_ask_for_is_wanted(tmp_path: Path) -> None:
    plans = [load_plan(PARAMS, name) for name in ("demo", "study")]
    both = wanted_by(PARAMS, ["demo", "study"])
    assert both.cells == {cell_id for plan in plans for cell_id in plan.cells}
    assert both.trainings == {cell.training_id for plan in plans for cell in plan.cells.values()}
    assert both.datasets == {dataset_key(spec) for plan in plans for spec in plan.datasets}
    assert wanted_by(PARAMS, ["demo"]).cells < both.cells < wanted_by(PARAMS).cells
    (tmp_path / "presets").mkdir()
    with pytest.raises(UserError, match="there is no preset"):
        wanted_by(tmp_path)


def test_the_command_lists_removes_and_gives_the_total(tmp_path: Path) -> None:
    shutil.copytree(PARAMS, tmp_path / "params")
    for path in (tmp_path / "params" / "presets").glob("*.yaml"):
        if path.stem != "demo":
            path.unlink()
    fill(Paths(tmp_path), OLD, OLD_TRAINING, OLD_DATA)
    cell = next(iter(load_plan(PARAMS, "demo").cells.values()))
    kept = write(Paths(tmp_path).record(cell))
    runner = CliRunner()
    listed = runner.invoke(app, ["prune", "--root", str(tmp_path)])
    assert listed.exit_code == 0
    assert "to remove 8 files and folders, 6.7 kB: cenbench prune --delete" in listed.output
    assert (tmp_path / "results" / "cells" / OLD).exists()
    deleted = runner.invoke(app, ["prune", "--delete", "--root", str(tmp_path)])
    assert deleted.exit_code == 0
    assert "removed 8 files and folders, 6.7 kB" in deleted.output
    assert kept.exists()
    assert "nothing to prune" in runner.invoke(app, ["prune", "--root", str(tmp_path)]).output


def test_a_broken_preset_stops_the_command_before_anything_is_removed(tmp_path: Path) -> None:
    shutil.copytree(PARAMS, tmp_path / "params")
    (tmp_path / "params" / "presets" / "mine.yaml").write_text("name: mine\n")
    fill(Paths(tmp_path), OLD, OLD_TRAINING, OLD_DATA)
    result = CliRunner().invoke(app, ["prune", "--delete", "--root", str(tmp_path)])
    assert isinstance(result.exception, UserError)
    assert (tmp_path / "results" / "cells" / OLD).exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root can read every folder")
def test_a_folder_without_permission_is_kept(paths: Paths) -> None:
    folder = write(paths.results / "cells" / OLD / "metrics.json").parent
    folder.chmod(0)
    try:
        [found] = find_leftovers(paths, WANTED)
        assert (found.kept, found.failed) == ("cannot be read: Permission denied", True)
    finally:
        folder.chmod(stat.S_IRWXU)
