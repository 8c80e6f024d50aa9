"""Killed anywhere, then the same command: the same bytes. Failed cells are shown, stop nothing, are tried again."""

from __future__ import annotations

import os
import signal
import time

import pytest
from checkout import Checkout

DETERMINISTIC = (
    "results/cells/*/metrics.json",
    "results/cells/*/history.csv",
    "results/cells/*/samples/*.png",
    "results/state/*/weights.safetensors",
    "reports/demo/table*.csv",
    "reports/demo/table*.tex",
)


@pytest.mark.parametrize("seconds", [3.0, 6.0, 9.0])
def test_killed_controller_and_cells_continue_to_the_same_bytes(
    checkout: Checkout, finished_checkout: Checkout, seconds: float
) -> None:
    process = checkout.start("snakemake", "all_tables")
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    trained = {note.parent / "weights.safetensors" for note in checkout.root.glob("results/state/*/finished.json")}
    times = {path: path.stat().st_mtime_ns for path in trained}
    checkout.snakemake("--unlock")
    checkout.snakemake("all_tables")
    assert checkout.bytes_of(*DETERMINISTIC) == finished_checkout.bytes_of(*DETERMINISTIC)
    assert {path: path.stat().st_mtime_ns for path in trained} == times, "what was trained is not trained again"


def test_failed_cell_is_shown_stops_nothing_and_is_tried_again(checkout: Checkout) -> None:
    checkout.edit(
        "params/table7.yaml",
        "l1: half, exchange: true}",
        "l1: half, exchange: true, override: {protocol: {lambda_l1: 1.0e+38, weight_decay: 1.0e+30}}}",
    )
    output = checkout.snakemake("all_tables", status=1)
    assert "Traceback" not in output
    page = (checkout.root / "reports/demo/table7.html").read_text()
    assert "failed" in page
    assert "non-finite" in page
    states = {value["state"] for value in checkout.json("reports/demo/table7.json")["entries"]}
    assert states == {"ok", "failed"}
    assert len(list(checkout.root.glob("results/cells/*/metrics.json"))) == 2, "the others went on"
    assert checkout.planned()["cell"] == 1, "the next run tries it again"
