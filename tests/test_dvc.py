"""`dvc repro` starts from scratch, then does nothing, then trains only what a change affects, as Snakemake does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checkout import Checkout

WEIGHTS = "results/state/*/weights.safetensors"


def trained(checkout: Checkout) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in checkout.root.glob(WEIGHTS)}


def test_dvc_adopts_what_snakemake_made_and_a_second_repro_does_nothing(
    versioned: Checkout, finished_checkout: Checkout
) -> None:
    assert trained(versioned) == trained(finished_checkout), "DVC adopted what Snakemake had made"
    output = versioned.run("dvc", "repro")
    assert "Running stage" not in output
    assert "up to date" in output
    assert versioned.planned() == {}, "Snakemake has nothing to do either"
    assert versioned.run("git", "status", "--porcelain") == ""
    heading, _, *lines = versioned.run("dvc", "metrics", "show", "--md").strip().splitlines()
    columns = [name.strip() for name in heading.strip("|").split("|")]
    assert columns == ["Path", "claims", "fid", "kid_x100", "miou_pct"]
    assert len(lines) == 2 * 3 + 3 + 1, "a line per slot of tables 7 and 8, and the summary of the claims"


def test_a_preset_that_does_not_exist_is_named_before_any_other_stage(tmp_path: Path) -> None:
    checkout = Checkout.make(tmp_path / "checkout")
    checkout.run("dvc", "init", "-q", "--no-scm")
    checkout.write("params/pipeline.yaml", "preset: demmo\ntables: 7\npages: [table7]\nfigures: []\n")
    output = checkout.run("dvc", "repro", status=None)
    assert "did you mean 'demo'?" in output
    assert "failed to reproduce 'check'" in output
    checkout.edit("params/pipeline.yaml", "preset: demmo", "preset: demo")
    checkout.run("dvc", "repro", "check")


def test_a_changed_row_trains_only_its_cell_and_metrics_diff_shows_it(versioned: Checkout) -> None:
    before = trained(versioned)
    versioned.edit(
        "params/table7.yaml",
        "l1: half, exchange: true}",
        "l1: half, exchange: true, override: {protocol: {lambda_l1: 0.5}}}",
    )
    output = versioned.run("dvc", "repro")
    assert "Stage 'dataset' didn't change" in output
    after = trained(versioned)
    assert len(after) == len(before) + 1
    assert {cell: after[cell] for cell in before} == before
    changed = json.loads(versioned.run("dvc", "metrics", "diff", "--json"))
    assert changed
    assert all(path.startswith("reports/demo/metrics/table7/") for path in changed)
    assert {metric for numbers in changed.values() for metric in numbers} == {"miou_pct"}
    assert any("lambda_l1" in path for path in changed), "the row names the difference"


def test_deleted_data_and_tables_are_restored_from_the_cache_without_training(versioned: Checkout) -> None:
    before = trained(versioned)
    for path in (*versioned.root.glob("data/prepared/*/*.npy"), versioned.root / "published/demo/table7.html"):
        path.unlink()
    versioned.run("dvc", "checkout")
    assert versioned.planned() == {}
    assert "Running stage" not in versioned.run("dvc", "repro")
    assert trained(versioned) == before


@pytest.mark.slow
def test_another_dataset_is_rendered_beside_the_old_one_and_trains_every_cell(versioned: Checkout) -> None:
    before = trained(versioned)
    versioned.edit("params/presets/demo.yaml", "val_scenes: 4, seed: 1", "val_scenes: 4, seed: 2")
    output = versioned.run("dvc", "repro")
    assert "Running stage 'dataset'" in output
    assert len(list(Path(versioned.root).glob("data/prepared/*/manifest.json"))) == 2
    assert len(trained(versioned)) == 2 * len(before)


def test_a_failed_cell_fails_the_stage_and_is_shown_on_the_page(versioned: Checkout) -> None:
    versioned.edit(
        "params/table7.yaml",
        "l1: half, exchange: true}",
        "l1: half, exchange: true, override: {protocol: {lambda_l1: 1.0e+38, weight_decay: 1.0e+30}}}",
    )
    output = versioned.run("dvc", "repro", status=None)
    assert "failed to reproduce 'tables'" in output
    assert "non-finite" in (versioned.root / "reports/demo/table7.html").read_text()
