"""A cell that runs out of memory or disk, or whose loss is not finite: reported with the reason; the retry succeeds."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from checkout import Checkout
from faults import Tally

from cenbench.errors import CellFailed, UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.records import failure
from cenbench.records.read import read_record
from cenbench.run.cell import run_cell
from cenbench.train import loop
from cenbench.train.segmentation import SegmentationTrainer

Faults = Callable[[str], Tally]
CPU_FULL = RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 1 TB")


@pytest.fixture
def place(prepared_checkout: Checkout, tmp_path: Path) -> tuple[Paths, Cell]:
    """A folder with the prepared dataset, and a segmentation cell that has not run."""
    shutil.copytree(prepared_checkout.root / "params", tmp_path / "params")
    (tmp_path / "data").symlink_to(prepared_checkout.root / "data")
    paths = Paths(tmp_path)
    return paths, next(iter(load_plan(paths.params, "demo").cells.values()))


def raising(error: Exception) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise error

    return refuse


def fail_and_retry(
    place: tuple[Paths, Cell], reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The cell fails with `reason` in its record; without the fault, the retry logs that reason and succeeds."""
    paths, cell = place
    with pytest.raises(CellFailed, match=reason) as caught:
        run_cell(cell, paths, "cpu")
    assert "fix" in str(caught.value)
    record = read_record(paths, cell)
    assert record.state == "failed"
    assert reason in str(record.reason)
    monkeypatch.undo()
    with caplog.at_level(logging.INFO, logger="cenbench"):
        run_cell(cell, paths, "cpu")
    assert f"retrying; the last run failed: {reason}" in caplog.text
    assert read_record(paths, cell).state == "ok"


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("CUDA out of memory."), MemoryError(), CPU_FULL])
@pytest.mark.parametrize("where", ["a step", "evaluation"])
def test_out_of_memory(
    place: tuple[Paths, Cell],
    error: Exception,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    faults: Faults,
) -> None:
    from cenbench.evaluate import segmentation

    if where == "a step":
        monkeypatch.setattr(SegmentationTrainer, "step", raising(error))
    else:
        monkeypatch.setattr(segmentation, "predicted_classes", raising(error))
    with faults("out of memory").one():
        fail_and_retry(place, "out of memory", monkeypatch, caplog)


def test_non_finite_loss(
    place: tuple[Paths, Cell], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, faults: Faults
) -> None:
    step = SegmentationTrainer.step
    monkeypatch.setattr(SegmentationTrainer, "step", lambda self, n: step(self, n) * (float("nan") if n == 7 else 1))
    with faults("non-finite loss").one():
        fail_and_retry(place, "non-finite loss at step 7", monkeypatch, caplog)


LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
import torch
from cenbench.matrix.plan import load_plan
from cenbench.evaluate import segmentation
from cenbench.run.cell import run_cell
from cenbench.paths import Paths

paths = Paths(Path(sys.argv[1]))
cell = load_plan(paths.params, "demo").cell(sys.argv[2])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400_000_000, -1))
try:
    run_cell(cell, paths, "cpu")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_real_limit_on_memory(place: tuple[Paths, Cell], faults: Faults) -> None:
    """A crop and a network so large that the system itself refuses the memory; no exception is simulated."""
    paths, _ = place
    preset = paths.params / "presets/demo.yaml"
    text = preset.read_text().replace("width: 4, decoder_width: 8", "width: 64, decoder_width: 256", 1)
    crop = "    crop_px: 512\n    scale_max: 16.0\n  evaluation"
    preset.write_text(text.replace("    crop_px: 32\n  evaluation", crop, 1))
    cell = next(iter(load_plan(paths.params, "demo").cells.values()))
    with faults("out of memory").one():
        command = [sys.executable, "-c", LITTLE_MEMORY, str(paths.root), cell.id]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
        assert done.stdout.startswith("CellFailed out of memory"), done.stdout + done.stderr
        assert "out of memory" in str(read_record(paths, cell).reason)


def test_a_failure_whose_reason_cannot_be_saved_is_still_reported(
    place: tuple[Paths, Cell], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(SegmentationTrainer, "step", raising(MemoryError()))
    monkeypatch.setattr(failure, "write_sealed", raising(UserError("no room to write failure.json")))
    with pytest.raises(CellFailed, match="out of memory"):
        run_cell(place[1], place[0], "cpu")
    assert "cannot be saved: no room to write failure.json" in caplog.text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a file system of the given size in kilobytes, or resize it."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def resize(kilobytes: int) -> Path:
        remount = "remount," if os.path.ismount(folder) else ""
        mount = ["mount", "-t", "tmpfs", "-o", f"{remount}size={kilobytes}k", "tmpfs", str(folder)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
        return folder

    yield resize
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)


def test_a_real_disk_that_fills_and_is_enlarged(
    place: tuple[Paths, Cell], small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch, faults: Faults
) -> None:
    paths, cell = place
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 1e9)
    (paths.root / "results").symlink_to(small_disk(8))
    tally, problems = faults("a small disk fills, then is enlarged"), []
    for kilobytes in (8, 400, 1500, 3000, *range(4500, 40_000, 1500)):
        small_disk(kilobytes)
        with tally.one():
            try:
                run_cell(cell, paths, "cpu")
                break
            except UserError as error:
                assert "no room to write" in error.problem
                assert "rerun the command" in str(error.fix)
                problems.append(error.problem.split()[4])
    assert len(problems) > 2, "it is to fill at several files"
    assert read_record(paths, cell).state == "ok"
    whole = Paths(paths.root / "whole")
    whole.root.mkdir()
    for part in ("params", "data"):
        (whole.root / part).symlink_to(paths.root / part)
    run_cell(cell, whole, "cpu")
    for name in ("metrics.json", "history.csv"):
        assert (paths.cell(cell) / name).read_bytes() == (whole.cell(cell) / name).read_bytes()


DISTURBED = """
import sys
from pathlib import Path

import cenbench.run.cell as run
from cenbench.cli.main import main

real = run.load_network


def disturbed(*arguments):
    # The training is done and kept; the evaluation is about to read its labels.
    path, = Path("data/prepared").glob("*/semantic.npy")
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\\x01" if file.read(1) != b"\\x01" else b"\\x02")
    return real(*arguments)


run.load_network = disturbed
sys.argv[0] = "cenbench"
main()
"""


def test_a_dataset_that_changes_under_an_evaluation_gives_no_record(checkout: Checkout) -> None:
    plan = load_plan(checkout.root / "params", "demo")
    cell = next(cell for cell in plan.cells.values() if cell.task.kind == "segmentation")
    paths = Paths(checkout.root)
    output = checkout.run("python", "-c", DISTURBED, "run", cell.id, status=2)
    assert "changed while it was in use" in output
    assert "semantic.npy" in output
    assert "Traceback" not in output
    assert not paths.record(cell).exists()
    record = read_record(paths, cell)
    assert record.state == "failed"
    assert "changed while it was in use" in str(record.reason)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_no_failure_of_the_cell(place: tuple[Paths, Cell], device: str) -> None:
    paths, cell = place
    with pytest.raises(UserError, match="device"):
        run_cell(cell, paths, device)
    assert read_record(paths, cell).state == "missing"
    assert not paths.state(cell).exists(), "nothing was written"
