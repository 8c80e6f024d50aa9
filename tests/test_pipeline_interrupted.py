"""Rerunning a killed pipeline gives the same bytes. Failed cells are shown, do not stop others, and are tried again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from checkout import DETERMINISTIC, Checkout
from faults import Tally
from outcome import differences, outcome


def moment(orphans: bool, seconds: float, *, always: bool = False) -> object:
    """When to kill. Each takes half a minute, so only one of the six is part of the default run."""
    return pytest.param(orphans, seconds, marks=() if always else pytest.mark.slow)


@pytest.mark.parametrize(
    ("orphans", "seconds"),
    [
        moment(False, 3.0),
        moment(False, 6.0),
        moment(False, 9.0),
        moment(True, 3.0),
        moment(True, 6.0, always=True),
        moment(True, 9.0),
    ],
)
def test_rerun_after_a_kill_gives_the_same_bytes(
    checkout: Checkout, finished_checkout: Checkout, seconds: float, orphans: bool, faults: Callable[[str], Tally]
) -> None:
    """With `orphans`, only the controller is killed and its cells continue."""
    tally = faults("kill -9 of the controller" if orphans else "kill -9 of the controller and its cells")
    process = checkout.start("snakemake", "all_tables")
    time.sleep(seconds)
    (os.kill if orphans else os.killpg)(process.pid, signal.SIGKILL)
    process.wait()
    trained = {note.parent / "weights.safetensors" for note in checkout.root.glob("results/state/*/finished.json")}
    times = {path: path.stat().st_mtime_ns for path in trained}
    with tally.one():
        checkout.snakemake("all_tables")
        assert differences(outcome(checkout.root), outcome(finished_checkout.root)) == []
        assert {path: path.stat().st_mtime_ns for path in trained} == times, "finished cells are not trained again"


def test_failed_cell_is_shown_does_not_stop_others_and_is_tried_again(
    checkout: Checkout, faults: Callable[[str], Tally]
) -> None:
    with faults("non-finite loss, in a run of three cells").one():
        fail_one_of_three(checkout)


def fail_one_of_three(checkout: Checkout) -> None:
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
    assert len(list(checkout.root.glob("results/cells/*/metrics.json"))) == 2, "the other cells continued"
    assert checkout.planned()["cell"] == 1, "the next run tries it again"
    assert checkout.planned("table7")["cell"] == 1, "also if its table is requested, whose page exists"


@pytest.mark.slow  # test_of_two_controllers_started_at_once_one_works is its short form
def test_two_controllers_at_once_do_not_disturb_each_other(
    checkout: Checkout, finished_checkout: Checkout, faults: Callable[[str], Tally]
) -> None:
    with faults("two controllers in one working directory").one():
        two_controllers(checkout, finished_checkout)


def two_controllers(checkout: Checkout, finished_checkout: Checkout) -> None:
    first = checkout.start("snakemake", "all_tables")
    time.sleep(5)
    second = checkout.snakemake("all_tables", status=1)
    assert f"process {first.pid} on" in second, "the lock of a live controller is not treated as stale"
    output, _ = first.communicate(timeout=300)
    assert first.returncode == 0, output
    assert checkout.bytes_of(*DETERMINISTIC) == finished_checkout.bytes_of(*DETERMINISTIC)
