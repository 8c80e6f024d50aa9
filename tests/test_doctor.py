"""The doctor's checks of packages, torch, data, weights and space; its table, JSON, exit status and next command."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from checkout import REPOSITORY, Checkout
from rich.console import Console
from test_doctor_slurm import commands
from tiny_dataset import write_dataset

from cenbench.doctor.check import Check
from cenbench.doctor.command import Output, ask, run
from cenbench.doctor.device import PROBE, check_device
from cenbench.doctor.environment import check_packages, check_python, check_revision, check_user
from cenbench.doctor.inputs import absent_inputs, check_dataset, check_space, check_weights, needed_bytes
from cenbench.doctor.profile_link import profile_link_checks
from cenbench.doctor.site import next_command
from cenbench.matrix.cell import Cell
from cenbench.matrix.disk_size import finished_bytes, parameters, state_bytes
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.pretrained.used import own_note
from cenbench.report.terminal_checks import render_checks
from cenbench.run.locked_environment import compare_with_lock
from cenbench.run.user_name import name_the_user
from cenbench.train import segmentation, translation

CUDA = Output(0, json.dumps({"torch": "2.13.0", "cuda": "13.0", "devices": ["NVIDIA H100"] * 2}), "")
CUDA_BLIND = Output(0, json.dumps({"torch": "2.13.0", "cuda": "13.0", "devices": []}), "")
CPU = Output(0, json.dumps({"torch": "2.13.0+cpu", "cuda": None, "devices": []}), "")
DRIVER = Output(0, "570.86.15, NVIDIA H100\n570.86.15, NVIDIA H100\n", "")


@pytest.fixture(scope="module")
def paper() -> Plan:
    return load_plan(REPOSITORY / "params", "paper")


@pytest.mark.parametrize(
    ("line", "installed", "differs"),
    [
        ("NumPy==2.4.6  # why", "2.4.6", None),
        ("NumPy==2.4", "2.4.0", None),
        ("NumPy==2.4.6", "2.4.6+local.build", None),
        ("numpy==2.4.0rc1", "2.4.0rc1", None),
        ("numpy[extra]==2.4.6 ; python_version < '3'", "1", None),
        ("# numpy==1", "2.4.6", None),
        ("numpy>=2", "2.4.6", None),
        ("numpy>=2,<2.4", "2.4.6", "numpy: 2.4.6, locked <2.4,>=2"),
        ("NumPy==2.4.6", "2.4.5", "numpy: 2.4.5, locked 2.4.6"),
        ("num_py==2.4.6", "2.4.6", None),
        ("numpy==2.4.6", "2.4.6-not-a-version-", "numpy: 2.4.6-not-a-version-, locked 2.4.6"),
        ("numpy=2.4.6", "2.4.6", "numpy=2.4.6: not a requirement that pip could read"),
    ],
)
def test_a_line_of_the_lock(tmp_path: Path, line: str, installed: str, differs: str | None) -> None:
    (tmp_path / "constraints.txt").write_text(f"\n{line}\n")
    found = compare_with_lock(tmp_path, {"numpy": installed}).differs
    assert [f"{name}: {why}" for name, why in found.items()] == ([differs] if differs else [])


def test_packages_against_the_lock(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\nnumpy==2.4.6\npytest==9.0\n")
    held = compare_with_lock(tmp_path, {"torch": "2.13.0+cu130", "numpy": "2.4.6", "mine": "1"})
    assert (held.holds, held.absent) == (True, ("pytest",))
    assert check_packages(tmp_path, {"torch": "2.13.0+cpu", "numpy": "2.4.6"}).outcome == "ok"
    check = check_packages(tmp_path, {"torch": "2.12.0", "numpy": "2.4.6"})
    assert (check.outcome, check.fix) == ("warning", "make env")
    assert "torch 2.12.0, locked 2.13.0" in check.found
    assert compare_with_lock(tmp_path, {"torch": "2.12.0"}).as_dict()["locked"] is False
    (tmp_path / "constraints.txt").unlink()
    assert check_packages(tmp_path, {}).outcome == "warning"
    assert not compare_with_lock(tmp_path, {}).holds


def test_python_and_revision(tmp_path: Path) -> None:
    assert check_python((3, 10, 4)).outcome == "problem"
    assert check_python((3, 12, 0)).outcome == "ok"
    assert check_revision(tmp_path).outcome == "warning"


def test_a_user_without_a_name_or_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number of its own."""
    assert check_user({"HOME": "/home/me"}) == []
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    checks = check_user({})
    assert [(check.name, check.outcome, check.fix) for check in checks] == [
        ("user", "warning", "export USER=NAME"),
        ("home", "problem", "export HOME=$PWD/.home"),
    ]
    given: dict[str, str] = {}
    name_the_user(given)
    assert given == {"USER": f"user-{os.getuid()}"}
    monkeypatch.setenv("USER", "me")
    assert [check.name for check in check_user({"HOME": "/home/me"})] == []
    name_the_user(unchanged := {"USER": "me"})
    assert unchanged == {"USER": "me"}


def no_entry(number: int) -> NoReturn:
    raise KeyError(f"getpwuid(): uid not found: {number}")


def test_a_profile_link_checked_out_as_text_is_reported_by_doctor_and_by_the_snakefile(tmp_path: Path) -> None:
    """The dry run has no user name either: only a number, as in a container without an entry for it."""
    checkout = Checkout.make(tmp_path / "checkout")
    shutil.copytree(REPOSITORY / "profiles" / "slurm", checkout.root / "profiles" / "slurm", dirs_exist_ok=True)
    link = checkout.root / "slurm"
    link.unlink(missing_ok=True)
    link.symlink_to("profiles/slurm")
    assert profile_link_checks(checkout.root) == []
    link.unlink()
    link.write_text("profiles/slurm")
    (text,) = profile_link_checks(checkout.root)
    assert "is a text file, not a link" in text.found
    assert text.fix is not None
    assert "snakemake --profile profiles/slurm" in text.fix
    nameless = ("unshare", "--user", "--map-user=12345", "env", "-u", "USER", "-u", "LOGNAME")
    if subprocess.run([*nameless, "true"], check=False, capture_output=True).returncode:
        nameless = ()
    output = checkout.run(*nameless, "snakemake", "-n", "all_tables")
    assert "./slurm is a text file" in output
    assert "snakemake --profile profiles/slurm" in output


def test_torch_here_answers_the_probe() -> None:
    told = json.loads(run([sys.executable, "-c", PROBE]).output)
    assert told["torch"] == torch.__version__
    assert told["cuda"] == torch.version.cuda
    assert len(told["devices"]) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)


@pytest.mark.parametrize(
    ("said", "driver", "needs_gpu", "outcome", "found"),
    [
        (CUDA, DRIVER, True, "ok", "built for CUDA 13.0; 2 x NVIDIA H100; driver 570.86.15"),
        (CUDA, None, True, "ok", "2 x NVIDIA H100"),
        (CPU, None, False, "ok", "CPU only: no GPU on this node"),
        (CPU, None, True, "warning", "the preset is meant for GPUs"),
        (CPU, DRIVER, False, "problem", "a build without CUDA, which cannot use this node's 2 x NVIDIA H100"),
        (CUDA_BLIND, DRIVER, True, "problem", "built for CUDA 13.0, which cannot use this node's 2 x NVIDIA H100"),
        (CUDA_BLIND, Output(9, "", "NVIDIA-SMI has failed"), True, "warning", "CPU only"),
        (Output(1, "", "Traceback\nImportError: no torch"), None, False, "problem", "ImportError: no torch"),
        (Output(0, "a banner", ""), None, False, "problem", "does not work"),
        (Output(None, "", ""), DRIVER, True, "problem", "no answer in time"),
    ],
)
def test_torch_and_driver(said: Output, driver: Output | None, needs_gpu: bool, outcome: str, found: str) -> None:
    check = check_device(said, driver, needs_gpu)
    assert (check.outcome, found in check.found) == (outcome, True), check
    assert (check.fix is None) == (outcome == "ok")


def test_commands_that_are_absent_slow_or_broken(tmp_path: Path) -> None:
    search = commands(tmp_path, slow="sleep 20", bad="echo why >&2; exit 4")
    assert ask("absent", search=search) is None
    assert ask("slow", search=search, timeout_s=0.1) == Output(None, "", "")
    bad = ask("bad", search=search)
    assert bad is not None
    assert (bad.status, bad.why) == (4, "why")
    assert run([str(tmp_path)]).status == 127


def test_datasets(tmp_path: Path) -> None:
    data, raw = tmp_path / "prepared", tmp_path / "raw"
    assert check_dataset("synthrooms", "synthrooms-1", data, raw, "demo").outcome == "ok"
    absent = check_dataset("nyudv2", "nyudv2-1", data, raw, "paper")
    assert (absent.outcome, "cenbench data prepare nyudv2-1 --preset paper" in str(absent.fix)) == ("problem", True)
    raw.mkdir()
    (raw / "splits.mat.dvc").touch()
    assert check_dataset("nyudv2", "nyudv2-1", data, raw, "paper").outcome == "problem", "not pulled yet"
    (raw / "splits.mat").touch()
    assert check_dataset("nyudv2", "nyudv2-1", data, raw, "paper").outcome == "ok"
    prepared = write_dataset(data, {"rgb": np.zeros((3, 4, 4, 3), np.uint8)}, train_scenes=2)
    key = dataset_key(prepared.manifest.spec)
    assert "prepared, " in check_dataset("tiny", key, data, raw, "demo").found
    (prepared.folder / "rgb.npy").write_bytes(b"cut")
    assert check_dataset("tiny", key, data, raw, "demo").found == "damaged: rgb.npy"
    (prepared.folder / "manifest.json").write_text("{")
    assert check_dataset("tiny", key, data, raw, "demo").outcome == "problem"


def test_only_what_the_asked_cells_would_miss_is_absent(paper: Plan, tmp_path: Path) -> None:
    kinds = {kind: next(cell for cell in paper.cells.values() if cell.task.kind == kind) for kind in TASKS}
    for kind, (dataset, file) in TASKS.items():
        data, weights = absent_inputs(paper, Paths(tmp_path), [kinds[kind].id])
        assert data.startswith(f"Missing: data {dataset}: neither")
        assert f"fix: put the official files in {tmp_path / 'data' / 'raw' / dataset}" in data
        assert weights.startswith("Missing: weights: 1 of 1 cells would be skipped")
        assert file in weights
    assert absent_inputs(paper, Paths(tmp_path), []) == []


TASKS = {"segmentation": ("nyudv2", "resnet"), "translation": ("taskonomy", "inception")}


def test_absent_weights_are_reported_with_the_number_of_skipped_cells(paper: Plan, tmp_path: Path) -> None:
    translation_cells = sum(cell.task.kind == "translation" for cell in paper.cells.values())
    paths = Paths(tmp_path)
    paths.weights.mkdir()

    def place(name: str) -> None:
        (paths.weights / name).touch()
        note = {"sha256": hashlib.sha256(b"").hexdigest(), "what": "nothing"}
        own_note(paths.weights / name).write_text(json.dumps(note))

    for name in ("resnet101-5d3b4d8f.pth", "resnet152-b121ed2d.pth"):
        place(name)
    check = check_weights(paper.cells, paths)
    assert check.outcome == "warning"
    assert check.found.startswith(
        f"{translation_cells} of {len(paper.cells)} cells would be skipped; missing: weights-inception"
    )
    place("weights-inception-2015-12-05-6726825d.pth")
    assert check_weights(paper.cells, paths).outcome == "ok"
    assert "no cell needs" in check_weights({}, paths).found
    own_note(paths.weights / "resnet101-5d3b4d8f.pth").unlink()
    check = check_weights(paper.cells, paths)
    assert (check.outcome, "it has no description" in check.found) == ("problem", True)


def disk(free_bytes: float, files: int = 10**9) -> Any:
    return SimpleNamespace(f_bavail=int(free_bytes / 4096), f_frsize=4096, f_files=10**9, f_favail=files)


def test_free_space_against_the_need(paper: Plan, tmp_path: Path) -> None:
    """`cells` is the need without the data, which is not prepared either."""
    paths = Paths(tmp_path)
    cells = needed_bytes(paper.cells.values(), paper.cost.workers)
    assert check_space(paper, paths, lambda path: disk(cells * 0.99)).outcome == "problem"
    assert check_space(paper, paths, lambda path: disk(cells * 1.5)).outcome == "warning"
    assert check_space(paper, paths, lambda path: disk(cells * 10)).outcome == "ok"
    files = check_space(paper, paths, lambda path: disk(cells * 10, files=1000))
    assert (files.outcome, "1,000 files" in files.found) == ("problem", True)
    cell = next(iter(paper.cells.values()))
    assert needed_bytes([cell], workers=8) == finished_bytes(cell) + state_bytes(cell)


@pytest.mark.parametrize("name", ["demo", "paper"])
def test_the_estimate_of_a_networks_size(name: str) -> None:
    """Compared with the networks themselves, built without storage: one per kind, head, sharing and modality count."""
    plan = load_plan(REPOSITORY / "params", name)
    seen = {}
    for cell in plan.cells.values():
        seen.setdefault((cell.task.kind, cell.convs, cell.network.head, len(cell.task.inputs)), cell)
    for cell in seen.values():
        found = sum(each.numel() for each in network(cell).parameters())
        assert 0.5 < parameters(cell) / found < 2, cell.id


def network(cell: Cell) -> torch.nn.Module:
    with torch.device("meta"):
        return segmentation.build(cell, 40) if cell.task.kind == "segmentation" else translation.build(cell)


def test_the_table_and_the_next_command() -> None:
    fine, bad = Check("a", "ok", "fine"), Check("b", "problem", "broken [link=x]", "fix it so")
    console = Console(width=100)
    with console.capture() as capture:
        console.print(render_checks([fine, bad], next_command("demo", [fine, bad])))
    text = capture.get()
    assert "broken [link=x]" in text
    assert "fix: fix it so" in text
    assert text.rstrip().endswith("next: fix it so; then: cenbench doctor --preset demo")
    assert next_command("demo", [fine]).startswith("snakemake all_tables --config preset=demo")
    on_slurm = [fine, Check("partitions", "ok", "gpu")]
    assert next_command("paper", on_slurm).startswith("snakemake --profile slurm all_tables")


def test_the_command_and_its_exit_status(tmp_path: Path) -> None:
    """PATH holds a git that fails and nothing else, so that a Slurm on this machine is not found."""
    checkout = Checkout.make(tmp_path / "checkout")
    (tmp_path / "bin").mkdir()
    path = commands(tmp_path / "bin", git="exit 1")
    python = ("env", f"PATH={path}", sys.executable, "-m", "cenbench", "doctor")
    told = json.loads(checkout.run(*python, "--json"))
    assert list(told) == ["format", "preset", "checks", "next"]
    outcomes = {check["name"]: check["outcome"] for check in told["checks"]}
    assert list(outcomes)[:5] == ["python", "packages", "revision", "torch", "slurm"]
    assert "problem" not in outcomes.values()
    assert told["next"].startswith("snakemake all_tables --config preset=demo")
    page = (REPOSITORY / "docs" / "status.md").read_text()
    for key in [*told, *told["checks"][0]]:
        assert f"`{key}`" in page, f"docs/status.md does not explain {key}"
    (checkout.root / "results").write_text("a file where the folder should be")
    output = checkout.run(*python, status=1)
    assert "problem" in output
    assert "next: make it writable; then: cenbench doctor" in output
