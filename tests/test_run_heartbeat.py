"""The heartbeat runs by itself as long as its process lives, ends with it, and changes no number."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import Checkout

from cenbench.run import cell as run
from cenbench.run.heartbeat import FILE, LOST_AFTER_S, Beat, Heartbeat, read_beat, slurm_job

BEAT_S = 0.02
HOLD = f"""
import sys, time
from pathlib import Path
from cenbench.run.heartbeat import Heartbeat
with Heartbeat(Path(sys.argv[1]), "a-cell", beat_s={BEAT_S}) as heartbeat:
    heartbeat.training(3, 10, 2.0)
    print("beats", flush=True)
    time.sleep(60)
"""


def beat_after(folder: Path, before: Beat | None) -> Beat:
    """The next beat that differs from `before`."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        beat = read_beat(folder)
        if beat is not None and beat != before:
            return beat
        time.sleep(BEAT_S / 4)
    raise AssertionError("no beat came")


def test_it_beats_while_the_main_thread_is_in_one_long_step(tmp_path: Path) -> None:
    """The main thread is busy and reports nothing to the heartbeat."""
    numbers = list(range(2_000_000, 0, -1))
    with Heartbeat(tmp_path, "a-cell", beat_s=BEAT_S) as heartbeat:
        heartbeat.training(3, 10, 2.0)
        before = beat_after(tmp_path, read_beat(tmp_path))
        for _ in range(20):
            sorted(numbers, key=lambda number: number)
            if read_beat(tmp_path) != before:
                break
        after = read_beat(tmp_path)
    assert after is not None
    assert after.updated > before.updated
    assert (after.phase, after.step, after.progressed) == ("training", 3, before.progressed)


def test_the_content_of_a_beat(tmp_path: Path) -> None:
    with Heartbeat(tmp_path, "a-cell", beat_s=BEAT_S) as heartbeat:
        first = read_beat(tmp_path)  # there at once, before anything slow
        assert first is not None
        assert (first.cell_id, first.phase, first.step, first.total) == ("a-cell", "preparing", None, None)
        heartbeat.training(100, 500, 0.0)
        heartbeat.training(200, 500, 2.0)
        beat = beat_after(tmp_path, first)
        while beat.step != 200:
            beat = beat_after(tmp_path, beat)
        assert (beat.phase, beat.total, beat.steps_per_s) == ("training", 500, 2.0)
        assert beat.left_s == pytest.approx(300 / 2.0, abs=5)
        assert heartbeat.trained_steps == 100  # of this run, which began at 100
        heartbeat.phase("evaluating")
        while beat.phase != "evaluating":
            beat = beat_after(tmp_path, beat)
        assert (beat.step, beat.left_s) == (200, None)


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_its_file_is_removed_however_the_run_ends(tmp_path: Path, error: type[BaseException] | None) -> None:
    try:
        with Heartbeat(tmp_path, "a-cell", beat_s=BEAT_S):
            beat_after(tmp_path, None)
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_last_beat_of_a_killed_process_grows_old(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "beats\n"
    alive = beat_after(tmp_path, read_beat(tmp_path))
    assert alive.pid == process.pid
    process.kill()
    process.wait()
    last = read_beat(tmp_path)
    assert last is not None
    time.sleep(10 * BEAT_S)
    assert read_beat(tmp_path) == last
    assert last.is_fresh(last.updated + LOST_AFTER_S - 1)
    assert not last.is_fresh(last.updated + LOST_AFTER_S + 1)


def test_a_folder_that_cannot_be_written_does_not_stop_the_run(tmp_path: Path) -> None:
    with Heartbeat(tmp_path / "absent", "a-cell", beat_s=BEAT_S) as heartbeat:
        heartbeat.training(1, 2, 1.0)
        time.sleep(3 * BEAT_S)
    assert heartbeat.trained_steps == 0


def test_the_job_comes_from_slurms_environment() -> None:
    assert slurm_job({}) is None
    assert slurm_job({"SLURM_JOB_ID": "12"}) == "12"
    assert slurm_job({"SLURM_JOB_ID": "13", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "1"}) == "12_1"


def test_a_cell_beats_in_every_phase_and_has_the_numbers_of_a_run_without_beats(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of one cell: one beats as fast as it can and keeps every beat, the other beats only once."""
    from cenbench.matrix.plan import load_plan
    from cenbench.paths import Paths

    said: list[dict[str, object]] = []

    class Fast(Heartbeat):
        def __init__(self, folder: Path, cell_id: str, *, beat_s: float, is_held: Callable[[], bool]) -> None:
            super().__init__(folder, cell_id, beat_s=0.001, is_held=is_held)

        def _write(self) -> None:
            super()._write()
            said.append(dataclasses.asdict(self._beat))

    class Slow(Heartbeat):
        def __init__(self, folder: Path, cell_id: str, *, beat_s: float, is_held: Callable[[], bool]) -> None:
            super().__init__(folder, cell_id, beat_s=1e6, is_held=is_held)

    made = []
    for beats in (Fast, Slow):
        monkeypatch.setattr(run, "Heartbeat", beats)
        paths = Paths(checkout.root)
        cell = next(iter(load_plan(paths.params, "demo").cells.values()))
        run.run_cell(cell, paths, "cpu")
        assert not (paths.state(cell) / FILE).exists()
        provenance = json.loads((paths.cell(cell) / "provenance.json").read_text())
        assert provenance["trained_steps"] == provenance["steps"] == 12
        made.append(checkout.bytes_of("results/cells/*/metrics.json", "results/state/*/weights.safetensors"))
        for folder in ("cells", "state"):
            (paths.results / folder).rename(paths.results / f"{folder}.{beats.__name__}")
    assert len(made[0]) == 2
    assert made[0] == made[1]
    assert {beat["cell_id"] for beat in said} == {cell.id}
    phases = list(dict.fromkeys(beat["phase"] for beat in said))
    assert phases[:3] == ["preparing", "training", "evaluating"]
    assert {beat["total"] for beat in said if beat["phase"] == "training"} == {12}
