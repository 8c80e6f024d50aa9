"""A published dataset under `dvc repro`: if missing, it is asked for; if one image changes, its cells train again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import official_nyudv2
import pytest
from checkout import PRESET, Checkout
from official_files import write_image
from versioned import commit, put_under_version

OFFICIAL = "{name: nyudv2, size_px: 117, width_px: 100, train_scenes: 7, val_scenes: 3, seed: 0}"


@pytest.fixture
def real(prepared_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A checkout whose segmentation cells read NYUDv2 and whose translation cells read rendered rooms."""
    checkout = Checkout.make(tmp_path / "checkout")
    rooms = "{name: synthrooms, size_px: 32, train_scenes: 8, val_scenes: 4, seed: 1}"
    preset = PRESET.replace(f"&data {rooms}", OFFICIAL).replace("dataset: *data", f"dataset: {rooms}")
    checkout.write("params/presets/demo.yaml", preset)
    (checkout.root / "data/prepared").mkdir(parents=True)
    for folder in (prepared_checkout.root / "data/prepared").iterdir():
        folder.is_dir() and checkout.run("cp", "-a", str(folder), "data/prepared/")
    return put_under_version(checkout, repro=False)


def weights(checkout: Checkout) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in checkout.root.glob("results/state/*/weights.*")}


@pytest.mark.slow
def test_one_new_image_is_a_new_version_and_trains_exactly_the_cells_that_use_it(real: Checkout) -> None:
    output = real.run("dvc", "repro", status=None)
    for wanted in ("nyu_depth_v2_labeled.mat (2,972,037,809 bytes)", "http://horatio.cs.nyu.edu", "data/raw/nyudv2"):
        assert wanted in output, "which official file to put where"

    raw = real.root / "data/raw/nyudv2"
    raw.mkdir()
    official_nyudv2.write_folder(raw)
    real.run("dvc", "add", "data/raw/nyudv2")
    real.run("dvc", "repro")
    commit(real)
    before = weights(real)
    assert len(before) == 3
    assert "Running stage" not in real.run("dvc", "repro")

    # The authors fix one image.
    write_image(raw / "rgb/000005.png", np.ascontiguousarray(official_nyudv2.rgb(6)[6:474, 7:632]))
    real.run("python", "-m", "cenbench", "data", "prepare")
    real.run("python", "-m", "cenbench", "report")
    states = real.json("reports/demo/table7.json")["states"]
    assert states == {"stale": 6}, "results from the old images are not shown as current"
    assert real.json("reports/demo/table8.json")["states"] == {"ok": 3}
    assert real.planned()["cell"] == 2

    real.run("dvc", "repro")
    after = weights(real)
    changed = {cell for cell in after if after[cell] != before[cell]}
    assert len(changed) == 2
    assert all(cell.startswith("rgb+depth") for cell in changed)
    assert "Running stage" not in real.run("dvc", "repro")
    assert "nyudv2.dvc" in real.run("git", "status", "--porcelain"), "the new version is ready to commit"
