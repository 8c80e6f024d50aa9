"""What triggers a rerun: nothing if nothing changed, otherwise exactly the jobs that the change affects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from checkout import Checkout

CELLS = "results/cells/*/metrics.json"
WEIGHTS = "results/state/*/weights.safetensors"


def times(checkout: Checkout, pattern: str) -> dict[str, int]:
    return {str(path.relative_to(checkout.root)): path.stat().st_mtime_ns for path in checkout.root.glob(pattern)}


def test_all_tables_makes_every_page(finished_checkout: Checkout) -> None:
    assert len(times(finished_checkout, CELLS)) == 3
    for table in ("table7", "table8"):
        for suffix in ("html", "tex", "csv", "json"):
            assert (finished_checkout.root / f"reports/demo/{table}.{suffix}").stat().st_size > 0
    assert (finished_checkout.root / "reports/index.html").exists()


def test_a_parameter_of_one_row_reruns_only_its_cell(finished: Checkout) -> None:
    before = times(finished, CELLS)
    finished.edit(
        "params/table7.yaml",
        "l1: half, exchange: true}",
        "l1: half, exchange: true, override: {protocol: {theta: 0.03}}}",
    )
    assert finished.planned() == {"cell": 1, "table": 1, "index": 1, "all_tables": 1}
    finished.snakemake("all_tables")
    after = times(finished, CELLS)
    assert len(after) == 4
    assert {path: after[path] for path in before} == before
    assert finished.planned() == {}


def test_comments_docstrings_and_file_times_rerun_nothing(finished: Checkout) -> None:
    """DVC and copying change file times; only content counts."""
    for path in ("cenbench/train/segmentation.py", "cenbench/nn/exchange.py", "cenbench/metrics/miou_pct.py"):
        text = (finished.root / path).read_text()
        finished.write(path, '"""Another docstring."""\n# and a comment\n' + text.split('"""', 2)[2])
    for manifest in finished.root.glob("data/prepared/*/manifest.json"):
        os.utime(manifest)
    assert finished.planned() == {}


def test_metric_code_reruns_evaluation_and_no_training(finished: Checkout) -> None:
    weights = times(finished, WEIGHTS)
    numbers = finished.bytes_of(CELLS)
    with (finished.root / "cenbench/metrics/miou_pct.py").open("a") as file:
        file.write("\nassert True\n")
    planned = finished.planned()
    assert planned["cell"] == 2, "both segmentation cells, and not the translation cell"
    finished.snakemake("all_tables")
    assert times(finished, WEIGHTS) == weights
    evaluated = [path for path, data in finished.bytes_of(CELLS).items() if data != numbers[path]]
    assert len(evaluated) == 2, "the digest of the evaluation code is part of the record"
    assert finished.planned() == {}


@pytest.mark.slow
def test_training_code_reruns_the_affected_cells(finished: Checkout) -> None:
    with (finished.root / "cenbench/nn/unet.py").open("a") as file:
        file.write("\nassert True\n")
    weights = times(finished, WEIGHTS)
    assert finished.planned()["cell"] == 1
    finished.snakemake("all_tables")
    changed = {path for path, time in times(finished, WEIGHTS).items() if weights[path] != time}
    assert len(changed) == 1
    assert "to-rgb" in changed.pop()


def test_a_template_renders_tables_and_evaluates_nothing(finished: Checkout) -> None:
    template = sorted((finished.root / "cenbench/report/templates").iterdir())[0]
    with template.open("a") as file:
        file.write("\n")
    assert finished.planned() == {"table": 2, "index": 1, "all_tables": 1}


def test_unknown_configuration_is_an_error_before_anything_runs(checkout: Checkout) -> None:
    output = checkout.snakemake("-n", "all_tables", "--config", "prest=paper", status=1)
    assert "prest" in output
    assert "preset" in output
    assert "Traceback" not in output


def test_bad_params_are_an_error_before_anything_runs(checkout: Checkout) -> None:
    checkout.edit("params/table7.yaml", "convs: shared", "convs: shaerd")
    results = Path(checkout.root, "results")
    before = sorted(results.rglob("*"))
    output = checkout.snakemake("-n", "all_tables", status=1)
    for part in ("table7.yaml", "rows[1].convs", "shaerd", "shared, unshared"):
        assert part in output.replace("'", ""), part
    assert "Traceback" not in output
    assert sorted(results.rglob("*")) == before
