"""A record holds the revision, the environment compared with the lock, host and driver; the cell's page shows them."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from cell_pages import shown_alone
from checkout import REPOSITORY
from test_report_table import record

from cenbench.doctor.environment import check_revision
from cenbench.matrix.plan import load_plan
from cenbench.report.cell_page import render_cell_page
from cenbench.run.locked_environment import installed_packages
from cenbench.run.provenance import driver_version, environment
from cenbench.run.revision import revision

LOCK = "torch==0.0.1\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git checkout of one commit, whose lock pins a version of torch that does not exist."""
    (tmp_path / "constraints.txt").write_text(LOCK)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "-m", "one")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_a_record_holds_revision_environment_and_machine(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURMD_NODENAME", "gpu7")
    monkeypatch.setenv("APPTAINER_NAME", "cenbench.sif")
    found = environment(torch.device("cpu"), repository)
    head = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True)
    assert (found["revision"], found["dirty"]) == (head.stdout.strip(), False)
    assert (found["host"], found["node"], found["slurm_job"]) == (socket.gethostname(), "gpu7", "12")
    assert (found["container"], found["device_type"], found["cuda"]) == ("cenbench.sif", "cpu", torch.version.cuda)
    assert found["device"]
    assert found["environment"] == {
        "locked": False,
        "constraints_sha256": hashlib.sha256(LOCK.encode()).hexdigest(),
        "differs": {"torch": f"{installed_packages()['torch']}, locked 0.0.1"},
    }
    (repository / "constraints.txt").write_text(f"torch=={torch.__version__.split('+')[0]}\n")
    found = environment(torch.device("cpu"), repository)
    assert (found["dirty"], found["environment"]["locked"], found["environment"]["differs"]) == (True, True, {})


def test_without_git_or_lock(tmp_path: Path) -> None:
    found = environment(torch.device("cpu"), tmp_path)
    assert (found["revision"], found["dirty"], found["revision_unknown"]) == (None, None, "not a git checkout")
    assert found["environment"] == {"locked": False, "constraints_sha256": None, "differs": {}}


def test_asking_for_the_revision_leaves_the_index_alone(repository: Path) -> None:
    """git refreshes it on the way, under a lock that a user's own commit at that moment would meet."""
    index = repository / ".git" / "index"
    before = index.stat().st_ino
    os.utime(repository / "constraints.txt", (1, 1))
    assert revision(repository)["dirty"] is False
    assert index.stat().st_ino == before


def test_the_reason_for_an_unknown_revision(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout of another user, git hooks that point elsewhere, no git, a checkout without a commit."""
    known = revision(repository)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert revision(repository) == known
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests of this refusal
    refused = revision(repository)
    assert (refused["revision"], refused["dirty"]) == (None, None)
    assert "belongs to another user" in refused["revision_unknown"]
    check = check_revision(repository)
    assert (check.outcome, check.fix is not None and "safe.directory" in check.fix) == ("warning", True)
    for name in ("GIT_DIR", "GIT_TEST_ASSUME_DIFFERENT_OWNER"):
        monkeypatch.delenv(name)
    (repository / "empty").mkdir()
    subprocess.run(["git", "-C", str(repository / "empty"), "init", "--quiet"], check=True)
    assert revision(repository / "empty")["revision_unknown"] == "the checkout has no commit"
    monkeypatch.setenv("PATH", str(repository / "empty"))
    assert revision(repository)["revision_unknown"] == "git is not installed"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n", "570.86.15"),
        ("nothing of the kind", None),
        (None, None),
    ],
)
def test_the_drivers_version_is_read_from_the_kernel_module(
    tmp_path: Path, text: str | None, version: str | None
) -> None:
    if text is not None:
        (tmp_path / "version").write_text(text)
    assert driver_version(tmp_path / "version") == version


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            {"locked": True, "constraints_sha256": "ab12", "differs": {}},
            "as locked in constraints.txt (sha256 ab12)",
        ),
        (
            {"locked": False, "constraints_sha256": "ab12", "differs": {"torch": "2.0, locked <2.1>"}},
            "not as locked: torch 2.0, locked &lt;2.1&gt;.",
        ),
        ({"locked": False, "constraints_sha256": None, "differs": {}}, "the checkout had no constraints.txt"),
        (None, None),
    ],
)
def test_the_cells_page_shows_whether_the_environment_was_the_locked_one(found: Any, said: str | None) -> None:
    plan = load_plan(REPOSITORY / "params", "demo")
    cell = next(iter(plan.cells.values()))
    provenance = {"device": "NVIDIA H100", "driver": "570.86.15"} | ({"environment": found} if found else {})
    page = render_cell_page("demo", replace(record(cell, 1.0), provenance=provenance), shown_alone(cell, "table7"))
    assert ("Environment: " in page) == (said is not None)
    assert said is None or said in page
    assert "<dt>driver</dt><dd>570.86.15</dd>" in page
