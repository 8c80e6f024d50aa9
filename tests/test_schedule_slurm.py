"""A cell that is stopped inside a Slurm job saves its state and requeues the job. Slurm's commands are fakes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from checkout import Checkout

from cenbench.schedule.slurm import OPTIONS, Queue, back_into_the_queue

RUNNING = "JobId=7 JobState=RUNNING BatchFlag=1 Requeue=1"
CELL = SimpleNamespace(cell="rgb.s1")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first on PATH, for fake Slurm commands."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv(OPTIONS, "--signal=TERM@300")
    return folder


def fake(slurm: Path, command: str, prints: str) -> None:
    """Write a command that prints `prints`, and appends its command line to the file `called`."""
    script = slurm / command
    script.write_text(f"#!/bin/sh\necho {command} $* >> {slurm}/called\ncat <<'END'\n{prints}\nEND\n")
    script.chmod(0o755)


def called(slurm: Path) -> list[str]:
    return (slurm / "called").read_text().splitlines()


def test_a_running_job_is_requeued(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    fake(slurm, "scontrol", RUNNING)
    assert back_into_the_queue() == "7"
    assert called(slurm)[-1] == "scontrol requeue 7"


@pytest.mark.parametrize("change", [("RUNNING", "CANCELLED"), ("RUNNING", "COMPLETING"), ("Requeue=1", "Requeue=0")])
def test_a_job_that_is_ending_or_must_not_be_requeued_is_left_alone(
    slurm: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    fake(slurm, "scontrol", RUNNING.replace(*change))
    assert back_into_the_queue() is None
    assert len(called(slurm)) == 1


def test_the_users_own_job_around_snakemake_is_left_alone(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv(OPTIONS)
    fake(slurm, "scontrol", RUNNING)
    assert back_into_the_queue() is None
    assert not (slurm / "called").exists()


def test_outside_of_a_job_slurm_is_not_asked(slurm: Path) -> None:
    fake(slurm, "scontrol", RUNNING)
    assert back_into_the_queue() is None
    assert not (slurm / "called").exists()


def test_a_cells_job_waits_for_earlier_jobs_of_the_same_folder(
    slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPTIONS, "--signal=TERM@300")
    comments = ("rule_cell_wildcards_rgb.s1", "rule_cell_wildcards_rgb.s1", "rule_cell_wildcards_rgb.s2")
    here = [f"{job}|{comment}|{tmp_path}" for job, comment in enumerate(comments, 1)]
    own = f"5|a comment of the user\nwith a line break|{tmp_path}"
    fake(slurm, "squeue", "\n".join([own, *here, f"4|{comments[0]}|/elsewhere"]))
    queue = Queue(tmp_path)
    assert queue.options_of_cell(CELL) == "--signal=TERM@300 --dependency=afterany:1:2"
    assert queue.options_of_cell(SimpleNamespace(cell="depth.s1")) == "--signal=TERM@300"
    assert len(called(slurm)) == 1, "the queue is read once for many cells"


def test_without_the_profile_or_inside_a_job_the_queue_is_not_asked(
    slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(slurm, "squeue", f"1|rule_cell_wildcards_rgb.s1|{tmp_path}")
    monkeypatch.delenv(OPTIONS, raising=False)
    assert Queue(tmp_path).options_of_cell(CELL) == ""
    monkeypatch.setenv(OPTIONS, "--signal=TERM@300")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert Queue(tmp_path).options_of_cell(CELL) == ""
    assert not (slurm / "called").exists()


def test_a_stopped_cell_saves_its_state_requeues_its_job_and_resumes(
    checkout: Checkout, slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.edit("params/presets/demo.yaml", "{epochs: 3, lr_encoder", "{epochs: 60, lr_encoder")
    target = checkout.run("python", "-m", "cenbench", "plan", "--table", "table7", "--targets").split()[0]
    command = ("python", "-m", "cenbench", "run", target.split("/")[2])
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    fake(slurm, "scontrol", RUNNING)
    process = checkout.start(*command)
    end = time.monotonic() + 200
    while not list(checkout.root.glob("results/state/*/state.pt")) and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 143, output
    assert "job 7 is back in the queue" in output
    assert called(slurm)[-1] == "scontrol requeue 7"
    checkout.run("python", "-m", "cenbench", "report", "--table", "table7")
    assert "started, but not finished" in (checkout.root / "reports/demo/table7.html").read_text()
    stopped = output.split("stopped at step ")[1].split(" ")[0]
    assert f"resuming at step {stopped} of 240" in checkout.run(*command)
