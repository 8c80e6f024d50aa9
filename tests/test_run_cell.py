"""`cenbench run`: a cell is published completely, or skipped with a reason, and errors name what is wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import paper_one_step
import pytest
import torch
from checkout import Checkout

from cenbench.evaluate.per_image import PerImage
from cenbench.files import sha256_file
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.records.per_image import NoScores, read_per_image
from cenbench.records.read import CellRecord, read_record

RESNET18 = "resnet18-f37072fd.pth"


def cell_ids(checkout: Checkout) -> dict[str, str]:
    """The id of one cell per kind of task."""
    return {cell.task.kind: cell_id for cell_id, cell in load_plan(checkout.root / "params", "demo").cells.items()}


def record_of(checkout: Checkout, cell_id: str) -> CellRecord:
    paths = Paths(checkout.root)
    return read_record(paths, load_plan(paths.params, "demo").cell(cell_id))


def run(checkout: Checkout, cell_id: str, status: int = 0) -> str:
    output = checkout.run("python", "-m", "cenbench", "run", cell_id, status=status)
    assert "Traceback" not in output
    return output


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_a_finished_cell_is_published_completely(finished_checkout: Checkout, kind: str) -> None:
    cell_id = cell_ids(finished_checkout)[kind]
    record = record_of(finished_checkout, cell_id)
    assert record.state == "ok"
    assert set(record.metrics) == set(record.cell.task.streams)
    expected = {
        "segmentation": {"miou_pct", "fwiou_pct", "pixel_acc_pct", "mean_acc_pct", "thin_iou_pct", "boundary_iou_pct"},
        "translation": {"fid", "kid_x100", "mae_x10", "rmse_x10", "mse_x10", "ssim", "psnr_db"}
        | {"mae_near_x10", "mae_away_x10"},
    }[kind]
    assert all(set(values) == expected for values in record.metrics.values())
    assert set(record.stand_in) == ({"fid", "kid_x100"} if kind == "translation" else set())
    assert sum(record.document["parameters"]["ensemble_weights"].values()) == pytest.approx(1, abs=1e-6)
    samples = {path.name for path in (record.folder / "samples").glob("*.png")}
    hard = {name for name in samples if re.fullmatch(r"(thin|dark|bright|detail)-\d{4}\.png", name)}
    assert hard
    assert samples - hard == {"000.png", "001.png"}
    assert record.provenance["steps"] == 12
    assert (record.folder / "history.csv").read_text().count("\n") == 13


def test_a_segmentation_record_explains_its_scores_by_class_and_by_image(finished_checkout: Checkout) -> None:
    """Confusion counts, IoU of each class and counts of each image are the same pixels, and give the same mean IoU."""
    record = record_of(finished_checkout, cell_ids(finished_checkout)["segmentation"])
    found = read_per_image(record)
    assert isinstance(found, PerImage)
    assert found.images == record.cell.dataset.val_scenes
    for stream, values in record.metrics.items():
        confusion_KK = np.array([row.split() for row in record.document["confusion"][stream]], dtype=np.int64)
        assert np.array_equal(found.confusion[stream].pooled_KK(), confusion_KK)
        ious = record.document["per_class_iou_pct"][stream]
        assert len(ious) == len(confusion_KK)
        known = [iou for iou in ious.values() if iou is not None]
        assert len(known) >= 3
        assert np.mean(known) == pytest.approx(values["miou_pct"], rel=1e-12)
        assert values["pixel_acc_pct"] == pytest.approx(100 * confusion_KK.trace() / confusion_KK.sum(), rel=1e-12)


def test_a_translation_record_explains_its_scores_by_image(finished_checkout: Checkout) -> None:
    record = record_of(finished_checkout, cell_ids(finished_checkout)["translation"])
    found = read_per_image(record)
    assert isinstance(found, PerImage)
    assert found.images == record.cell.dataset.val_scenes
    for stream, values in record.metrics.items():
        means = found.means[stream]
        # Means of float64 values in another order.
        assert 10 * means["mae_x10"].mean() == pytest.approx(values["mae_x10"], rel=1e-12)
        assert 10 * np.sqrt(means["rmse_x10"].mean()) == pytest.approx(values["rmse_x10"], rel=1e-12)
        assert means["ssim"].mean() == pytest.approx(values["ssim"], rel=1e-12)
        assert means["psnr_db"].mean() == pytest.approx(values["psnr_db"], rel=1e-12)


def test_rerunning_a_finished_cell_trains_nothing_and_gives_the_same_bytes(finished: Checkout) -> None:
    cell_id = cell_ids(finished)["segmentation"]
    before = finished.bytes_of("results/cells/*/metrics.json", "results/state/*/weights.safetensors")
    assert "step" not in run(finished, cell_id)
    assert finished.bytes_of("results/cells/*/metrics.json", "results/state/*/weights.safetensors") == before


def test_a_cell_without_its_weights_is_skipped_and_runs_once_they_are_added(checkout: Checkout) -> None:
    checkout.edit("params/presets/demo.yaml", "pretrained: false", "pretrained: true")
    checkout.edit("params/presets/demo.yaml", "width: 4, decoder_width", "width: 64, decoder_width")
    cell_id = cell_ids(checkout)["segmentation"]
    checkout.snakemake(f"results/cells/{cell_id}/metrics.json")
    record = record_of(checkout, cell_id)
    assert record.state == "skipped"
    assert record.reason is not None
    assert "resnet18" in record.reason
    assert read_per_image(record) == NoScores(f"the cell has no numbers: skipped, {record.reason}")
    assert (record.folder / "per_image.safetensors").exists(), "Snakemake expects it"
    assert checkout.planned(f"results/cells/{cell_id}/metrics.json") == {}
    (checkout.root / "weights" / RESNET18).write_bytes(b"not weights")
    assert checkout.planned(f"results/cells/{cell_id}/metrics.json") == {"cell": 1}
    output = run(checkout, cell_id, status=2)
    assert "it has no description" in output
    assert record_of(checkout, cell_id).state == "failed"


@pytest.mark.slow
def test_replaced_weights_retrain_their_cells_and_own_weights_are_labelled(checkout: Checkout, tmp_path: Path) -> None:
    checkout.edit("params/presets/demo.yaml", "pretrained: false", "pretrained: true")
    checkout.edit("params/presets/demo.yaml", "width: 4, decoder_width", "width: 64, decoder_width")
    cell_id = cell_ids(checkout)["segmentation"]
    target = f"results/cells/{cell_id}/metrics.json"
    add = ("python", "-m", "cenbench", "weights", "add", "resnet18", str(tmp_path / "own.pth"))
    paper_one_step.resnet_file(tmp_path / "own.pth", 18)
    checkout.run(*add, "--own", "first")
    checkout.snakemake(target)
    record = record_of(checkout, cell_id)
    assert record.state == "ok"
    assert record.provenance["pretrained"] == {RESNET18: {"sha256": sha256_file(tmp_path / "own.pth"), "own": "first"}}
    assert set(record.stand_in) == set(record.metrics["ensemble"]) >= {"miou_pct", "thin_iou_pct"}
    assert all("(first)" in label for label in record.stand_in.values())
    before = checkout.bytes_of("results/state/*/weights.safetensors")

    state = torch.load(tmp_path / "own.pth", weights_only=True)
    state["conv1.weight"] *= 2
    torch.save(state, tmp_path / "own.pth")
    checkout.run(*add, "--own", "second", "--replace")
    record = record_of(checkout, cell_id)
    assert (record.state, record.reason) == ("stale", "the pretrained weights changed since")
    assert checkout.planned(target) == {"cell": 1}
    checkout.snakemake(target)
    assert record_of(checkout, cell_id).state == "ok"
    after = checkout.bytes_of("results/state/*/weights.safetensors")
    assert before.keys() == after.keys()
    assert before != after, "trained from the new weights"

    # Deleted weights do not make their results stale: nothing is trained again.
    (checkout.root / "weights" / RESNET18).unlink()
    assert record_of(checkout, cell_id).state == "ok"
    checkout.snakemake(target)
    record = record_of(checkout, cell_id)
    assert record.state == "ok"
    assert checkout.bytes_of("results/state/*/weights.safetensors") == after
    assert all("(second)" in label for label in record.stand_in.values()), "the label stays with the result"


def test_an_unknown_id_suggests_the_nearest(checkout: Checkout) -> None:
    cell_id = cell_ids(checkout)["segmentation"]
    output = run(checkout, cell_id[:-1] + "x", status=2)
    assert cell_id in output


def test_a_dataset_that_is_not_prepared_is_reported_with_the_command(checkout: Checkout) -> None:
    for manifest in checkout.root.glob("data/prepared/*/manifest.json"):
        manifest.unlink()
    output = run(checkout, cell_ids(checkout)["segmentation"], status=2)
    assert "cenbench data prepare" in output


def test_a_truncated_dataset_file_is_named(checkout: Checkout) -> None:
    (array,) = checkout.root.glob("data/prepared/*/rgb.npy")
    whole = checkout.bytes_of("data/prepared/*/*")
    array.write_bytes(array.read_bytes()[:-7])
    output = run(checkout, cell_ids(checkout)["segmentation"], status=2)
    assert "rgb.npy" in output
    assert "fix: rerun the same command" in output
    checkout.snakemake(*checkout.run("python", "-m", "cenbench", "plan", "--table", "table7", "--targets").split()[:1])
    assert checkout.bytes_of("data/prepared/*/*") == whole


def test_a_changed_byte_in_a_dataset_is_found_by_verify(checkout: Checkout) -> None:
    (array,) = checkout.root.glob("data/prepared/*/normal.npy")
    data = bytearray(array.read_bytes())
    data[-5] ^= 4
    array.write_bytes(bytes(data))
    output = checkout.run("python", "-m", "cenbench", "data", "verify", "synthrooms", status=2)
    for part in ("normal.npy", "sha256", "fix"):
        assert part in output
    assert "Traceback" not in output


def test_two_runs_of_one_cell_at_once(checkout: Checkout) -> None:
    cell_id = cell_ids(checkout)["translation"]
    first = checkout.start("python", "-m", "cenbench", "run", cell_id)
    lock = None
    while lock is None and first.poll() is None:
        lock = next((path for path in checkout.root.glob("results/state/*/lock") if path.stat().st_size), None)
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # else it might be done before the second has started
    second = run(checkout, cell_id, status=2)
    first.send_signal(signal.SIGCONT)
    assert "already being run by another process" in second
    assert f"process {first.pid}" in second
    output, _ = first.communicate(timeout=300)
    assert first.returncode == 0, output
    assert record_of(checkout, cell_id).state == "ok", "the first run is not disturbed"


def test_the_reason_of_a_damaged_record_gives_the_fix(finished: Checkout) -> None:
    cell_id = cell_ids(finished)["segmentation"]
    path = finished.root / "results" / "cells" / cell_id / "metrics.json"
    for damage in ("{", json.dumps({"format": "1"}), json.dumps([1])):
        path.write_text(damage)
        record = record_of(finished, cell_id)
        assert record.state == "damaged"
        assert record.reason is not None
        assert "rerun" in record.reason


def test_the_reason_of_a_stale_cell_names_what_changed(finished: Checkout) -> None:
    with (finished.root / "cenbench/metrics/miou_pct.py").open("a") as file:
        file.write("\nassert True\n")
    code = "from pathlib import Path; from cenbench.matrix.plan import load_plan; from cenbench.paths import Paths;"
    code += "from cenbench.records.read import read_record; paths = Paths(Path());"
    code += "print([read_record(paths, cell).reason for cell in load_plan(paths.params, 'demo').cells.values()])"
    output = finished.run("python", "-c", code)
    assert output.count("the evaluation code changed since") == 2
    assert output.count("None") == 1


def test_a_full_disk_while_publishing_is_reported_and_the_next_run_only_evaluates(checkout: Checkout) -> None:
    """A file size limit stands in for the full disk: the weights fit below it; the log may be cut."""
    cell_id = cell_ids(checkout)["segmentation"]
    command = f"ulimit -f 40; trap '' XFSZ; exec python -m cenbench run '{cell_id}'"
    output = checkout.run("bash", "-c", command, status=None)
    assert "no room to write" in output
    assert "Traceback" not in output
    run(checkout, cell_id)
    assert record_of(checkout, cell_id).state == "ok"


def test_a_run_leaves_no_process_and_no_temporary_file(checkout: Checkout) -> None:
    run(checkout, cell_ids(checkout)["segmentation"])
    assert not list(Path(checkout.root, "results").rglob("*.tmp"))
    found = subprocess.run(["pgrep", "-f", str(checkout.root)], capture_output=True, text=True, check=False)
    assert found.stdout == ""
