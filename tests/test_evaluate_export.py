"""Exported predictions are what the published numbers were counted from, in each dataset's own format."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import official_cityscapes
import pytest
from checkout import Checkout
from PIL import Image

from cenbench.data.adapters import prepare
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.evaluate.prediction_files import label_files
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.pretrained import used as assets
from cenbench.pretrained.catalog import IMAGENET_FILES
from cenbench.pretrained.used import own_note
from cenbench.run.cell import run_cell
from cenbench.run.export import export_cell

STREETS = "{name: cityscapes, size_px: 12, width_px: 24, train_scenes: 9, val_scenes: 4, seed: 0}"


def cell_of(checkout: Checkout, kind: str) -> Cell:
    cells = load_plan(checkout.root / "params", "demo").cells.values()
    return next(cell for cell in cells if (cell.task.kind, cell.fusion) == (kind, "exchange"))


def export(checkout: Checkout, cell: Cell, stream: str = "ensemble", out: str = "out") -> Path:
    """As the command does it, in this process: its start costs more than all else here."""
    folder = checkout.root / out
    export_cell(cell, Paths(checkout.root), folder, stream, "cpu")
    return folder


def miou_pct(predicted: list[np.ndarray], truth: list[np.ndarray], classes: int) -> float:
    """Counted class by class over sets of pixels: no confusion matrix, no torch."""
    guess, real = (np.concatenate([image.ravel() for image in images]) for images in (predicted, truth))
    guess, real = guess[real != 255], real[real != 255]
    shares = []
    for label in range(classes):
        union = int(((guess == label) | (real == label)).sum())
        if union:
            shares.append(int(((guess == label) & (real == label)).sum()) / union)
    return 100 * sum(shares) / len(shares)


def opened(checkout: Checkout) -> Prepared:
    (folder,) = (path.parent for path in checkout.root.glob("data/prepared/*/manifest.json"))
    return Prepared.open(folder)


def published(checkout: Checkout, cell: Cell, stream: str, metric: str) -> float:
    value: float = checkout.json(f"results/cells/{cell.id}/metrics.json")["metrics"][stream][metric]
    return value


def pictures(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


@pytest.mark.parametrize("stream", ["ensemble", "depth"])
def test_labels_give_the_published_score(finished: Checkout, stream: str) -> None:
    cell, prepared = cell_of(finished, "segmentation"), opened(finished)
    out = export(finished, cell, stream)
    names = sorted(path.name for path in out.iterdir())
    assert names == [*(f"{number:06d}.png" for number in range(8, 12)), "predictions.json"]
    truth = list(prepared.array("semantic")[prepared.indices("val")])
    counted = miou_pct(pictures(out), truth, len(prepared.classes))
    assert counted == pytest.approx(published(finished, cell, stream, "miou_pct"), abs=1e-9)


def test_several_scales_and_mirror_images_are_exported_as_they_were_measured(finished: Checkout) -> None:
    """The same weights, measured otherwise: another cell, and other labels."""
    once = export(finished, cell_of(finished, "segmentation"))
    scaled = "evaluation: {batch_size: 4, samples: 2, scales: [0.5, 1.0, 1.5], flip: true}"
    finished.edit("params/presets/demo.yaml", "evaluation: {batch_size: 4, samples: 2}", scaled)
    cell, prepared = cell_of(finished, "segmentation"), opened(finished)
    run_cell(cell, Paths(finished.root), "cpu")
    with pytest.raises(UserError, match="other predictions"):
        export(finished, cell)
    labels = pictures(export(finished, cell, out="scaled"))
    truth = list(prepared.array("semantic")[prepared.indices("val")])
    counted = miou_pct(labels, truth, len(prepared.classes))
    assert counted == pytest.approx(published(finished, cell, "ensemble", "miou_pct"), abs=1e-9)
    assert any((a != b).any() for a, b in zip(pictures(once), labels, strict=True))


def test_an_interrupted_export_resumes_with_what_is_missing(
    finished: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("segmentation", "translation"):
        cell = cell_of(finished, kind)
        out = export(finished, cell)
        whole = finished.bytes_of("out/*")
        (out / "000009.png").unlink()
        note = json.loads((out / "predictions.json").read_text())
        kept = {name: value for name, value in note.items() if name != "files"} | {"complete": False}
        (out / "predictions.json").write_text(json.dumps(kept))
        before = (out / "000008.png").stat().st_mtime_ns
        capsys.readouterr()
        export(finished, cell)
        assert "3 of 4" in capsys.readouterr().err
        assert finished.bytes_of("out/*") == whole, kind
        assert (out / "000008.png").stat().st_mtime_ns == before, "what is there is not written again"
        assert len(whole) == 5
        assert note["cell_id"] == cell.id
        for path in out.iterdir():
            path.unlink()


def test_images_of_translation_have_the_published_error(finished: Checkout) -> None:
    """MAE on [-1, 1], times ten; 8-bit pictures are off by at most half a step, 1/255."""
    cell, prepared = cell_of(finished, "translation"), opened(finished)
    out = export(finished, cell, "texture")
    real = prepared.array("rgb_well_exposed")[prepared.indices("val")].astype(float)
    made = np.stack(pictures(out)).astype(float)
    assert made.shape == real.shape
    error_x10 = 10 * np.abs(made - real).mean() / 127.5
    assert error_x10 == pytest.approx(published(finished, cell, "texture", "mae_x10"), abs=10 / 255)
    assert np.abs(made - real).mean() > 5, "else the tolerance would hide anything"


def test_what_cannot_be_exported_is_refused_with_the_reason(finished: Checkout) -> None:
    cell, out = cell_of(finished, "segmentation"), finished.root / "out"

    def refused(stream: str = "ensemble") -> str:
        with pytest.raises(UserError) as caught:
            export(finished, cell, stream)
        return str(caught.value)

    assert "rgb, depth, ensemble" in refused("normal")
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert "not empty" in refused()
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    (out / "mine.txt").unlink()
    export(finished, cell)
    assert "other predictions" in refused("rgb")
    for weights in finished.root.glob("results/state/*/weights.safetensors"):
        weights.unlink()
    assert "no finished weights" in refused()


def test_weights_made_with_another_pretrained_file_are_not_exported(
    finished: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of a training under way is left alone."""
    cell, paths = cell_of(finished, "segmentation"), Paths(finished.root)
    monkeypatch.setattr(assets, "pretrained_files", lambda cell: [IMAGENET_FILES[18]])
    path = paths.weights / IMAGENET_FILES[18]
    path.write_bytes(b"new")
    own_note(path).write_text(json.dumps({"sha256": hashlib.sha256(b"new").hexdigest(), "what": "another file"}))
    state = paths.state(cell) / "state.pt"
    state.write_bytes(b"a training under way")
    with pytest.raises(UserError, match="no finished weights"):
        export(finished, cell)
    assert state.exists()


def test_the_command_reports_where_the_files_are_and_what_is_wrong(finished: Checkout) -> None:
    command = ("python", "-m", "cenbench", "export", cell_of(finished, "segmentation").id, "--out", "out")
    assert "out: 4 predictions of depth" in finished.run(*command, "--stream", "depth")
    output = finished.run(*command, status=2)
    assert "other predictions" in output
    assert "Traceback" not in output


def test_cityscapes_labels_are_ids_of_the_full_size(checkout: Checkout, tmp_path: Path) -> None:
    """From the official files to a submission: its scores are the published ones, the ids mapped back by hand."""
    official_cityscapes.write(tmp_path / "raw")
    checkout.edit(
        "params/presets/demo.yaml",
        "segmentation:\n  dataset: &data {name: synthrooms, size_px: 32, train_scenes: 8, val_scenes: 4, seed: 1}",
        f"segmentation:\n  dataset: {STREETS}",
    )
    checkout.edit(
        "params/presets/demo.yaml",
        "dataset: *data",
        "dataset: {name: synthrooms, size_px: 32, train_scenes: 8, val_scenes: 4, seed: 1}",
    )
    crop = "crop_px: {}\n  evaluation: {{batch_size: 4, samples"  # of segmentation
    checkout.edit("params/presets/demo.yaml", crop.format(32), crop.format(24))
    cell = cell_of(checkout, "segmentation")
    prepare(cell.dataset, Paths(checkout.root).data, 1, False, tmp_path / "raw")
    run_cell(cell, Paths(checkout.root), "cpu")
    out = export(checkout, cell)
    val = [frame for frame in range(len(official_cityscapes.FRAMES)) if official_cityscapes.FRAMES[frame][0] == "val"]
    names = [f"{official_cityscapes.FRAMES[frame][2]}_gtFine_labelIds.png" for frame in val]
    assert sorted(path.name for path in out.glob("*.png")) == names
    images = [Image.open(out / name) for name in names]
    assert {(image.size, image.mode) for image in images} == {((2048, 1024), "L")}
    train_id = np.vectorize(lambda label: official_cityscapes.TRAIN_ID.get(label, 255))
    centres = np.ix_(((np.arange(12) + 0.5) * 1024 / 12).astype(int), ((np.arange(24) + 0.5) * 2048 / 24).astype(int))
    predicted = [train_id(np.asarray(image)[centres]) for image in images]
    assert max(labels.max() for labels in predicted) < 19, "only ids that are scored"
    truth = [train_id(official_cityscapes.contents(frame)["labels"]) for frame in val]
    score = published(checkout, cell, "ensemble", "miou_pct")
    assert miou_pct(predicted, truth, 19) == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize(("dataset", "classes"), [("nyudv2", 40), ("sunrgbd", 37)])
def test_indoor_labels_count_from_one(dataset: str, classes: int) -> None:
    labels = np.arange(classes, dtype=np.uint8)[None]
    stored = label_files(dataset).encode(labels)
    assert (stored.dtype, stored.tolist()) == (np.uint8, [list(range(1, classes + 1))])
