"""`benchmarks/gpu.py` runs on a CPU at a tiny size, counts what a step needs, and loses nothing when it is cut off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from checkout import REPOSITORY
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
import gpu
import gpu_table
from gpu_parts import checks, counts, inputs, results, sharing, steps, training
from gpu_parts.cases import CASES, parallel_trainer

from cenbench.matrix.plan import load_plan

CPU = torch.device("cpu")
TINY = CASES["tiny"]
TWO = (TINY[1], TINY[3])
"""One network of each task, for a test of seconds; the slow tests below run everything."""
Part = Callable[[results.Results, torch.device, str, results.Deadline], None]


def rows_of(part: Part, path: Path) -> dict[str, dict[str, Any]]:
    part(results.Results(path, "part"), CPU, "tiny", results.Deadline.after(300))
    return {row["name"]: row for row in results.read_rows(path)}


def test_checks_hold_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [("segmentation", "align"), ("segmentation", "pspnet"), ("translation", "official")]
    monkeypatch.setattr(checks, "VARIANTS", {name: checks.VARIANTS[name] for name in some})
    rows = rows_of(checks.run_checks, tmp_path / "rows")
    assert {row["status"] for row in rows.values()} == {"ok", "skipped"}, rows
    ran = {name.split("; ")[0] for name, row in rows.items() if row["status"] == "ok"}
    assert ran == {"device", "equal to cpu", "resume", "bfloat16"}
    for name, row in rows.items():
        assert row["status"] == "ok" or "needs a CUDA device" in row["text"], name


def test_a_check_that_does_not_hold_is_a_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "BFLOAT16_OFF", 1e-9)
    log, cell = results.Results(tmp_path / "rows", "part"), checks.variant_cell("translation", checks.EXCHANGE, "tiny")
    checks.run_check(log, checks.bfloat16, "exchange", cell, CPU, results.Deadline.after(60))
    (row,) = results.read_rows(log.path)
    assert row["status"] == "failed"
    assert "losses differ by" in row["text"]


def test_steps_are_timed_and_what_needs_a_gpu_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CASES, "tiny", TWO)
    rows = rows_of(steps.run_steps, tmp_path / "rows")
    assert len(rows) == len(TWO) * len(steps.SETTINGS)
    for row in rows.values():
        gpu_only = row["graph"] or row["channels_last"]
        no_list = row["formulation"] == "list" and row["case"].startswith("PSPNet")
        assert row["status"] == ("skipped" if gpu_only or no_list else "ok"), row
        if row["status"] == "ok":
            assert row["step_s"] > 0
            assert row["tflops"] == pytest.approx(row["flops"] / row["step_s"] / 1e12)
    ours, theirs = (rows[f"{TINY[1].name}; {formulation}, float32"] for formulation in ("parallel", "list"))
    assert ours["flops"] == theirs["flops"], "both are held against the same floor"
    compiled = rows_of(steps.run_compiled, tmp_path / "compiled")
    assert {(row["status"], row["text"]) for row in compiled.values()} == {("skipped", "needs a CUDA device")}


def test_an_error_of_one_setting_is_recorded_and_the_next_one_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no C compiler\nmore")

    monkeypatch.setattr(steps, "SETTINGS", (steps.Setting("list", "float32"), steps.Setting("parallel", "float32")))
    monkeypatch.setattr(steps, "list_step", fails)
    monkeypatch.setitem(CASES, "tiny", TINY[1:2])
    first, second = rows_of(steps.run_steps, tmp_path / "rows").values()
    assert (first["status"], first["text"]) == ("failed", "RuntimeError: no C compiler")
    assert second["status"] == "ok"


@pytest.fixture
def one_case(monkeypatch: pytest.MonkeyPatch) -> str:
    """Only segmentation, which needs no features: `test_every_part_by_the_command` runs translation too."""
    case = next(case for case in inputs.CASES if case.name.startswith("demo segmentation"))
    monkeypatch.setattr(inputs, "CASES", (case,))
    monkeypatch.setattr(training, "CASES", (case,))
    monkeypatch.setattr(inputs, "inception", lambda *_: None)
    return case.name


@pytest.mark.slow
def test_waiting_and_evaluation(tmp_path: Path, one_case: str) -> None:
    rows = rows_of(inputs.run_input, tmp_path / "rows")
    assert [row["status"] for row in rows.values()] == ["ok", "ok"], rows
    assert 0 <= rows[f"waiting for data; {one_case}"]["share_pct"] < 100
    evaluation = rows[f"evaluation; {one_case}"]
    scenes = next(iter(load_plan(REPOSITORY / "params", "demo").cells.values())).dataset.val_scenes
    assert evaluation["cell_s"] == pytest.approx(scenes * evaluation["image_s"])


@pytest.mark.slow
def test_a_cell_learns(tmp_path: Path, one_case: str) -> None:
    rows = rows_of(training.run_training, tmp_path / "rows")
    assert [row["status"] for row in rows.values()] == ["ok", "ok"], rows
    trained = rows[f"training; {one_case}"]
    assert (trained["steps"], trained["last_loss"] < trained["first_loss"]) == (training.LEAST_STEPS, True)
    assert set(rows[f"figures of merit; {one_case}"]["metrics"]) >= {"miou_pct", "pixel_acc_pct"}


@pytest.mark.parametrize(("last", "word"), [(2.0, "did not fall"), (float("nan"), "NaN")])
def test_a_loss_that_rises_or_is_nan_fails(tmp_path: Path, last: float, word: str) -> None:
    trainer = parallel_trainer(TINY[1], "float32", CPU)
    losses = torch.ones(10, len(trainer.losses))
    losses[-1] = last
    training._judge(results.Results(tmp_path / "rows", "part"), training.CASES[1], trainer, losses)
    (row,) = results.read_rows(tmp_path / "rows")
    assert row["status"] == "failed"
    assert word in row["text"]


@pytest.mark.slow
def test_cells_share_a_device(tmp_path: Path) -> None:
    rows = rows_of(sharing.run_sharing, tmp_path / "rows")
    one, two = (rows[f"processes; {count} cells"] for count in (1, 2))
    assert (len(one["rates"]), one["ratio"]) == (1, 1.0)
    assert len(two["rates"]) == 2
    assert two["ratio"] == pytest.approx(sum(two["rates"]) / one["rates"][0])
    assert "CUDA" in rows[sharing.WITH_MPS]["text"]


@pytest.mark.parametrize("case", TWO, ids=lambda case: case.name)
def test_operations_counted_from_modules_are_those_that_torch_dispatches(case: Any) -> None:
    """Exactly: both count two per multiply-add of convolutions, ours from shapes, torch's from every operation."""
    counted = counts.count_step(case)
    with counts.meta_trainer(case) as trainer, FlopCounterMode(display=False) as dispatched:
        trainer.step(0)
    assert counted.flops == dispatched.get_total_flops()
    real = parallel_trainer(case, "float32", CPU)
    real.step(0)
    with counts.counted_flops(counts.networks(real)) as flops:
        real.step(1)
    assert flops[0] == counted.flops, "the meta device takes the same step"


def test_memory_counted_from_modules() -> None:
    """Closed form on one convolution and a ReLU, then that a trainer's state is 4 float32 per weight under Adam."""
    conv = torch.nn.Conv2d(3, 8, 3, padding=1)
    with counts.counted_saved([conv]) as saved:
        torch.relu(conv(torch.randn(2, 3, 5, 5)))
    assert saved[0] == 4 * 2 * (3 + 8) * 5 * 5, "the input for the weight's gradient, and the ReLU's output, once"
    with counts.meta_trainer(TINY[1]) as trainer:
        weights = sum(p.numel() for network in counts.networks(trainer) for p in network.parameters())
        buffers = sum(b.numel() * b.element_size() for network in counts.networks(trainer) for b in network.buffers())
    steps_of_adam = 4 * sum(len(list(network.parameters())) for network in counts.networks(trainer))
    assert counts.count_step(TINY[1]).state_bytes == 4 * 4 * weights + buffers + steps_of_adam


@pytest.mark.parametrize("case", TWO, ids=lambda case: case.name)
def test_no_value_leaves_the_device_in_a_step(case: Any) -> None:
    """On the meta device there are no values: whatever reads or copies one to the host fails."""
    with counts.meta_trainer(case) as trainer:
        assert trainer.step(0).device.type == "meta"
        with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
            trainer.step(1).cpu()


def test_rows_are_on_disk_at_once_and_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    log = results.Results(tmp_path / "rows", "steps")
    log.ok("one", "text", step_s=1.0)
    with log.path.open("a") as file:
        file.write('{"part": "steps", "name": "tw')
    assert [row["name"] for row in results.read_rows(log.path)] == ["one"]


def test_a_part_is_stopped_at_its_limit_and_keeps_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part and a process that it started are gone afterwards."""
    script = tmp_path / "part.py"
    script.write_text(
        "import subprocess, sys, time\n"
        f"sys.path.insert(0, {str(REPOSITORY / 'benchmarks')!r})\n"
        "from gpu_parts.results import Results\nfrom pathlib import Path\n"
        "Results(Path(sys.argv[2]), 'steps').ok('first', 'measured')\n"
        f"child = subprocess.Popen(['sleep', '60'])\nPath({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(gpu, "__file__", str(script))
    log = results.Results(tmp_path / "rows", "steps")
    options = type("Options", (), {"out": log.path, "device": "cpu", "size": "tiny"})
    start = time.monotonic()
    gpu.run_child(log, options, 5.0)  # type: ignore[arg-type]
    assert time.monotonic() - start < 30
    first, second = results.read_rows(log.path)
    assert (first["name"], first["status"]) == ("first", "ok")
    assert second["status"] == "failed"
    assert "stopped at its limit of 5 s" in second["text"]
    child = Path("/proc") / (tmp_path / "pid").read_text() / "cmdline"
    assert ends_within(10.0, child), "the process that the part had started is still there"


def ends_within(seconds: float, command_line: Path) -> bool:
    """SIGKILL is delivered when the kernel gets to it; a process that has ended has no command line."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if not command_line.read_bytes():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(REPOSITORY / "benchmarks" / "gpu.py"), *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=500, cwd=REPOSITORY)


def test_the_command(tmp_path: Path) -> None:
    """One part as a user starts it; `test_every_part_by_the_command` runs all."""
    out = tmp_path / "new" / "rows"
    done = command("--device", "cpu", "--size", "tiny", "--parts", "compile", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 measured, 0 failed, 4 skipped" in done.stdout
    assert len(out.read_text().splitlines()) == 4
    assert all(set(json.loads(line)) >= {"part", "name", "status", "text", "at"} for line in out.open())
    wrong = command("--parts", "stepz")
    assert wrong.returncode == 2
    assert "unknown part 'stepz'; expected: checks, steps" in wrong.stderr


@pytest.mark.slow
def test_every_part_by_the_command(tmp_path: Path) -> None:
    out = tmp_path / "rows"
    done = command("--device", "cpu", "--size", "tiny", "--budget-s", "1500", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["part"] for row in results.read_rows(out)} == set(gpu.PARTS)


def test_the_limits_fill_the_budget_of_six_minutes() -> None:
    assert sum(limit_s for _, limit_s in gpu.PARTS.values()) <= gpu.BUDGET_S == 360


def test_the_readmes_table_is_what_the_command_writes() -> None:
    file = gpu_table.RESULTS
    section = gpu_table.gpu_section(results.read_rows(file) if file.exists() else [])
    readme = gpu_table.README.read_text()
    assert gpu_table.with_table(readme, section) == readme, "run python benchmarks/gpu_table.py"
    if not file.exists():
        assert section.count(gpu_table.NOT_MEASURED) == 1 + 5 * 7 + 8


def test_the_table_shows_what_was_measured_and_what_was_not(tmp_path: Path) -> None:
    """Closed form: a list step of 200 ms and ours of 100 ms; other rows failed, were skipped, or are absent."""
    case = gpu_table.STEP_CASES[0]
    log = results.Results(tmp_path / "rows", "steps")
    values = {"peak_memory_bytes": 3 * 2**30, "share_of_peak": 0.5}
    log.ok(f"{case}; list, bfloat16", "", step_s=0.2, **values)
    log.ok(f"{case}; parallel, bfloat16", "", step_s=0.1, **values)
    log.failed(f"{case}; parallel, float32", "out of memory")
    shared = results.Results(log.path, "sharing")
    shared.ok("processes; 4 cells", "", ratio=3.5)
    shared.skipped("processes under MPS; 4 cells", "no time left")
    section = gpu_table.gpu_section(results.read_rows(log.path))
    step = next(line for line in section.splitlines() if line.startswith(f"| {case}"))
    cells = [cell.strip() for cell in step.strip("|").split("|")]
    assert cells[1:5] == ["not measured yet", "200.0 (3.0)", "failed", "100.0 (3.0)"]
    assert "against the list, bfloat16 | 2 | 2.00 |" in section
    assert "dense bfloat16 peak | 50 % | 50 % |" in section
    assert "4 U-Net cells on one GPU, throughput | 4 | 3.50 (processes) |" in section


def test_every_row_of_the_table_is_one_that_the_command_writes() -> None:
    """Otherwise a row would stay empty for ever."""
    names = {f"{case.name}; {setting.name}" for case in CASES["paper"] for setting in steps.SETTINGS}
    compiled = {f"{case.name}; {setting.name}" for case in CASES["paper"] for setting in steps.COMPILED}
    for case in gpu_table.STEP_CASES:
        for _, setting in gpu_table.STEP_COLUMNS:
            assert f"{case}; {setting}" in (compiled if setting.endswith("compile") else names)
    assert set(gpu_table.WAITING) <= {f"waiting for data; {case.name}" for case in inputs.CASES}


def fake_mps(folder: Path, in_foreground: str) -> None:
    script = folder / "nvidia-cuda-mps-control"
    daemon = f'if [ "$1" = -f ]; then echo $$ > {folder}/pid; {in_foreground}; fi'
    script.write_text(f"#!/bin/sh\n{daemon}\ncat > {folder}/said\n")
    script.chmod(0o755)


def test_the_mps_daemon_ends_with_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_mps(tmp_path, "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with sharing.mps_daemon():
        assert Path(os.environ["CUDA_MPS_PIPE_DIRECTORY"]).is_dir()
        assert (Path("/proc") / (tmp_path / "pid").read_text().strip()).exists()
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert not (Path("/proc") / (tmp_path / "pid").read_text().strip()).exists()
    assert (tmp_path / "said").read_text() == "quit\n"


def test_an_mps_daemon_that_does_not_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_mps(tmp_path, "exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(OSError, match="ended with status 3"), sharing.mps_daemon():
        raise AssertionError("the block must not run")
